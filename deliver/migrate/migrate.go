package migrate

import (
	"log/slog"
	"time"
)

// Options of a run. The zero value copies everything that was not copied yet, four
// mailboxes at a time.
type Options struct {
	// Job names the migration: runs with the same Job, into the same Target, go on
	// with each other. "" = the name of the Source.
	Job string

	// State keeps what was done, where the Target cannot; see DirKeeper.
	State Keeper

	// Include and Exclude select mailboxes by their names in the source, levels
	// joined by "/", in any case; "*" stands for anything, "%" for all but "/".
	// Without Include all are migrated.
	Include, Exclude []string

	// Rename returns the path in the target; nil = the same. It must give the same
	// answer at every run.
	Rename func(m Mailbox) []string

	// Views migrates also mailboxes that show the messages of others, with the roles
	// \All, \Flagged and \Important, as if they were ordinary ones. Without it only
	// what no other mailbox has is taken from them.
	Views bool

	// Match looks in the target for each message first, by its Print, so that mail
	// which came there by another way is not doubled. After an interruption of a
	// target that is not atomic it is done without being asked.
	Match bool

	// Remove removes from the target the messages that were migrated and are gone in
	// the source, also those of mailboxes that are gone. What was changed in the
	// target since stays, and so do mailboxes, and mail that came another way.
	Remove bool

	// SkipDeleted leaves out messages with the flag \Deleted.
	SkipDeleted bool

	// Verify compares the target with what was copied when all is done: see Level.
	Verify Level

	// Final is the last pass: Target.Finish is called when nothing was lost.
	Final bool

	// DryRun reads the source and the state, and writes nothing.
	DryRun bool

	Parallel        int           // mailboxes at a time; 0 = 4, at most what both sides can
	Attempts        int           // for a mailbox, when errors may pass; 0 = 5, negative = one
	Backoff         time.Duration // before the second attempt, doubled for each further one; 0 = 2 s
	MaxMessageBytes int64         // greater messages are skipped; 0 = as the target says
	MaxBytes        int64         // ends the run with ErrLimit; 0 = none
	BytesPerSecond  int64         // of all mailboxes together; 0 = no limit
	PerSecond       float64       // messages, of all mailboxes together; 0 = no limit
	BatchMessages   int           // messages of one commit; 0 = 200
	BatchBytes      int64         // octets of one commit; 0 = 16 MiB

	// Progress hears of every step, one event at a time. It must not block for long.
	Progress func(Event)

	Log *slog.Logger // nil = none
}

// Level says how much Verify compares.
type Level uint8

// The levels.
const (
	VerifyNone   Level = iota
	VerifyCounts       // each message is there, with its size, flags and date
	VerifyBodies       // and the digest of its body is that of what was copied
)
