package sqlite

import "testing"

// IndexRows counts all that the index of texts has.
func (e *Engine) IndexRows(t *testing.T) (n int) {
	t.Helper()
	err := e.index.write.QueryRow(`SELECT (SELECT COUNT(*) FROM account) + (SELECT COUNT(*) FROM box) + (SELECT COUNT(*) FROM place) +
		(SELECT COUNT(*) FROM doc) + (SELECT COUNT(*) FROM orphan)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
