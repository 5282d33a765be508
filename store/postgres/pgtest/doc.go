// Package pgtest starts a real PostgreSQL server for tests, and can kill it.
//
// A test binary has one server for all of its tests:
//
//	var pg pgtest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }
//
//	func TestSomething(t *testing.T) {
//		dsn := pg.Database(t) // a database for this test
//		...
//	}
//
// A test that kills or stops its server starts one of its own with [Start], and
// makes databases there with [Database].
//
// The server's programs are those of /usr/lib/postgresql/*/bin or of PATH. A
// test without them is skipped with a line that names PostgreSQL, and fails
// where MAILSTEAD_PEERS=required is set; with MAILSTEAD_PEERS=none none is used.
// PostgreSQL refuses to run as root; then it runs as the user postgres, or
// nobody. The server listens on loopback and on a socket in its directory, and
// trusts everyone there. It ends with the test process, however that ends.
package pgtest
