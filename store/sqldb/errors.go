package sqldb

import "errors"

// Errors of a DB; tested with errors.Is.
var (
	// ErrUnknown: the connection or the disk failed in COMMIT, so it is not
	// known whether the Work is in the database.
	ErrUnknown = errors.New("sqldb: outcome of the commit is unknown")
	// ErrPoisoned: an earlier COMMIT had an unknown outcome, and the dialect does
	// not reconnect; the database has to be opened again. The Work had no effect.
	ErrPoisoned = errors.New("sqldb: an earlier commit failed; reopen to go on")
	// ErrClosed: the DB was closed. The Work had no effect.
	ErrClosed = errors.New("sqldb: closed")
	// ErrVersion: the tables were written by a newer version of the program.
	ErrVersion = errors.New("sqldb: schema of a newer version")
	// ErrSystemic: the database as a whole failed (disk full, I/O error, lost
	// connection), or others were in the way for too long. The Work had no
	// effect.
	ErrSystemic = errors.New("sqldb: database failed")
	// ErrCorrupt: the database is damaged.
	ErrCorrupt = errors.New("sqldb: database is damaged")
	// ErrAborted: a Do returned nil although one of its statements had failed
	// and the transaction with it. The Work had no effect.
	ErrAborted = errors.New("sqldb: a statement failed and the work did not say so")
	// ErrPanic: a Do panicked; it had no effect.
	ErrPanic = errors.New("sqldb: panic in a work")
)
