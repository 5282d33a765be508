package sqldb

import (
	"context"
	"database/sql"
)

// session is the committer's connection with its prepared statements. The
// transaction is driven by hand, so that one prepared statement serves all
// transactions without a wrapper each.
type session struct {
	db    *DB
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (s *session) stmt(query string) (*sql.Stmt, error) {
	if st, ok := s.stmts[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(context.Background(), s.db.text(query))
	if err != nil {
		return nil, err
	}
	s.stmts[query] = st
	return st, nil
}

// begin opens a transaction, on a new connection where there is none.
func (s *session) begin() error {
	kept := s.conn != nil
	err := s.open()
	if err != nil && kept && is(s.db.dialect.Lost, err) { // since the last batch
		err = s.open()
	}
	return err
}

// open begins a transaction on the connection, or makes one.
func (s *session) open() error {
	if s.conn == nil {
		conn, err := s.db.write.Conn(context.Background())
		if err != nil {
			return err
		}
		s.conn, s.stmts = conn, make(map[string]*sql.Stmt)
	}
	// COMMIT is prepared here, so that its error is that of COMMIT itself.
	_, err := s.stmt(s.text(s.db.dialect.Commit, "COMMIT"))
	if err == nil {
		err = s.run(s.db.dialect.Begin, "BEGIN")
	}
	if err != nil {
		s.drop()
	}
	return err
}

func (s *session) commit() error { return s.run(s.db.dialect.Commit, "COMMIT") }

// rollback undoes the transaction; a connection that cannot even do that is
// given up, which undoes it too.
func (s *session) rollback() {
	if s.run("", "ROLLBACK") != nil {
		s.drop()
	}
}

func (s *session) text(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// aborted reports that the transaction can only be rolled back.
func (s *session) aborted() bool {
	f := s.db.dialect.Aborted
	return f != nil && f(s.conn)
}

func (s *session) run(text, fallback string) error {
	st, err := s.stmt(s.text(text, fallback))
	if err != nil {
		return err
	}
	_, err = st.ExecContext(context.Background())
	return err
}

func (s *session) drop() {
	if s.conn == nil {
		return
	}
	for _, st := range s.stmts {
		st.Close()
	}
	s.conn.Close()
	s.conn, s.stmts = nil, nil
}
