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
	name := fmt.Sprint("test", s.databases.Add(1))
	if err := s.exec(`CREATE DATABASE ` + name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.run == nil {
			return // it goes with the server
		}
		if err := s.exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Error(err)
		}
	})
	return name
}

func (s *Server) exec(statement string) error {
	db, err := sql.Open("pgx", s.DSN("postgres"))
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
// stops or kills it.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
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
	s.once.Do(func() { s.server, s.err = launch(nil) })
	if errors.Is(s.err, errMissing) {
		skip(t)
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}
