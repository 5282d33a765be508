package sqlite

import (
	"errors"

	"modernc.org/sqlite"

	"github.com/mailstead/mailstead/store/sqldb"
)

// Primary result codes of SQLite (https://sqlite.org/rescode.html).
const (
	codeBusy     = 5
	codeLocked   = 6
	codeNoMem    = 7
	codeReadOnly = 8
	codeIOErr    = 10
	codeCorrupt  = 11
	codeFull     = 13
	codeCantOpen = 14
	codeProtocol = 15
	codeNotADB   = 26
)

// code is the primary result code of an error; 0 = none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

// Dialect is SQLite's dialect for package sqldb.
func Dialect() sqldb.Dialect {
	return sqldb.Dialect{
		Name: "sqlite",
		Types: map[string]string{
			"int": "INTEGER", "text": "TEXT", "blob": "BLOB", "clustered": "WITHOUT ROWID",
		},
		Begin:         "BEGIN IMMEDIATE",
		Uninterrupted: true,
		Systemic: func(err error) bool {
			switch code(err) {
			case codeBusy, codeLocked, codeNoMem, codeReadOnly, codeIOErr, codeFull, codeCantOpen, codeProtocol:
				return true
			}
			return isCorrupt(err)
		},
		// COMMIT in WAL mode writes the frames, the one that commits last, and
		// syncs. Without the lock or without room the last frame was not
		// written; any other error may come after it.
		NotCommitted: func(err error) bool {
			c := code(err)
			return c == codeBusy || c == codeFull
		},
		Corrupt: isCorrupt,
	}
}

func isCorrupt(err error) bool {
	c := code(err)
	return c == codeCorrupt || c == codeNotADB
}
