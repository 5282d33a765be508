// Package s3test starts a real S3 server for tests, versitygw on a temporary
// directory, and can kill it.
//
// A test binary has one server for all of its tests:
//
//	var gw s3test.Shared
//
//	func TestMain(m *testing.M) { os.Exit(gw.Run(m)) }
//
//	func TestSomething(t *testing.T) {
//		c := s3test.Bucket(t, gw.Server(t)) // a fresh bucket
//		...
//	}
//
// The program is the one that MAILSTEAD_VERSITYGW names, else the one that
// .ci/interop has built, else that of PATH. A test without it is skipped with a
// line that names versitygw, and fails where MAILSTEAD_PEERS=required is set.
// The server listens on loopback, has credentials of its own, and ends with the
// test process, however that ends (on Linux).
package s3test
