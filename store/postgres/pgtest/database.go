package pgtest

import (
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
)

// Database makes a fresh database, which is dropped when the test ends, and
// returns its DSN.
func Database(t testing.TB, s *Server) string {
	t.Helper()
	return s.DSN(Name(t, s))
}

// Name is Database for its name, which DSN and TCP take.
func Name(t testing.TB, s *Server) string {
	t.Helper()
	name := s.newName()
	if err := s.exec("postgres", `CREATE DATABASE `+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.run == nil {
			return // it goes with the server
		}
		if err := s.exec("postgres", `DROP DATABASE `+name+` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return name
}

func (s *Server) newName() string { return fmt.Sprint("test", s.databases.Add(1)) }

func (s *Server) exec(database, statement string) error {
	db, err := sql.Open("pgx", s.DSN(database))
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		return fmt.Errorf("pgtest: %s: %w", statement, err)
	}
	return nil
}

// Shared is the server that all tests of a test binary have in common. The
// zero value is one that starts with the first test that asks for it. Nobody
// stops or kills it, and it does not sync (fsync=off).
type Shared struct {
	once   sync.Once
	server *Server
	err    error

	mu    sync.Mutex
	spare []string // databases that no test has now
}

// Run runs the tests and then ends the server; for TestMain.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	if s.server != nil {
		s.server.remove()
	}
	return code
}

// Server is the server; without PostgreSQL the test is skipped.
func (s *Shared) Server(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = launch([]string{"fsync=off"}) })
	if errors.Is(s.err, errMissing) {
		skip(t)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// Database returns the DSN of a database that the test has for itself. There
// may be tables of an earlier test, all of them empty but schema_version: that
// is faster than a fresh one.
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	server := s.Server(t)
	name := s.take()
	if name == "" {
		name = server.newName()
		if err := server.exec("postgres", `CREATE DATABASE `+name); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if err := server.exec(name, sqlEmpty); err != nil {
			t.Error(err) // somebody has not closed it
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spare = append(s.spare, name)
	})
	return server.DSN(name)
}

// sqlEmpty empties all tables.
const sqlEmpty = `SET lock_timeout = '10s'; DO $$
DECLARE list TEXT;
BEGIN
	SELECT string_agg(quote_ident(tablename), ', ') INTO list
		FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version';
	IF list IS NOT NULL THEN
		EXECUTE 'TRUNCATE ' || list;
	END IF;
END $$`

// take takes a database that an earlier test had; "" when there is none.
func (s *Shared) take() (name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.spare); n > 0 {
		name, s.spare = s.spare[n-1], s.spare[:n-1]
	}
	return name
}
