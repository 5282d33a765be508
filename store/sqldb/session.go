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
	if s.conn == nil {
		conn, err := s.db.write.Conn(context.Background())
		if err != nil {
			return err
		}
		s.conn, s.stmts = conn, make(map[string]*sql.Stmt)
	}
	if err := s.run(s.db.dialect.Begin, "BEGIN"); err != nil {
		s.drop()
		return err
	}
	return nil
}

func (s *session) commit() error { return s.run(s.db.dialect.Commit, "COMMIT") }

// rollback undoes the transaction; a connection that cannot even do that is
// given up, which undoes it too.
func (s *session) rollback() {
	if s.run("", "ROLLBACK") != nil {
		s.drop()
	}
}

func (s *session) run(text, fallback string) error {
	if text == "" {
		text = fallback
	}
	st, err := s.stmt(text)
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
