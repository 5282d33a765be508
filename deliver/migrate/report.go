package migrate

import (
	"errors"
	"fmt"
	"time"
)

// Totals count what a run, or a part of it, did. Bytes are those of the bodies
// that were copied.
type Totals struct {
	Mailboxes int64 `json:"mailboxes"` // that were made
	Copied    int64 `json:"copied"`
	Matched   int64 `json:"matched"` // were in the target already, and not by this migration
	Present   int64 `json:"present"` // were copied by an earlier pass
	Flagged   int64 `json:"flagged"` // got other flags
	Removed   int64 `json:"removed"` // were removed, as the source has them no more
	Kept      int64 `json:"kept"`    // are gone in the source and were changed in the target since: they stay
	Doubles   int64 `json:"doubles"` // of a view such as All Mail, which another mailbox has
	Skipped   int64 `json:"skipped"` // see Skip
	Bytes     int64 `json:"bytes"`
}

func (t *Totals) add(u Totals) {
	t.Mailboxes += u.Mailboxes
	t.Copied += u.Copied
	t.Matched += u.Matched
	t.Present += u.Present
	t.Flagged += u.Flagged
	t.Removed += u.Removed
	t.Kept += u.Kept
	t.Doubles += u.Doubles
	t.Skipped += u.Skipped
	t.Bytes += u.Bytes
}

// Report is what a run did, or with DryRun would do.
type Report struct {
	Totals
	Expected  Totals          // Copied and Bytes: what there was to copy, as far as it is known
	Verified  int64           // messages that Verify found to be right
	Boxes     []MailboxReport // in the order of the source's keys
	Gone      []Gone          // mailboxes that the source has no more
	Skips     []Skip          // the first MaxSkips
	Problems  []Problem       // what Verify found, the first MaxSkips
	Different int64           // how many Problems there were
	Took      time.Duration
}

// MaxSkips bounds the lists of a Report; the counters go on.
const MaxSkips = 10_000

// MailboxReport is what was done of one mailbox.
type MailboxReport struct {
	Source string // its name in the source, levels joined by "/"
	Target string // in the target
	Totals
	Unchanged bool  // was not read: nothing has changed since the last pass
	Err       error // it was not, or not wholly, migrated; nil = it was
}

// Reason says why something was not migrated.
type Reason string

// The reasons.
const (
	TooLarge   Reason = "too large"
	BadName    Reason = "bad name"
	Permission Reason = "no permission"
	Quota      Reason = "over quota"
	Broken     Reason = "broken message"
	Refused    Reason = "refused"
	Failed     Reason = "failed"
	Keyword    Reason = "keyword dropped" // no loss of a message
)

// reasonOf is the reason that an error comes to.
func reasonOf(err error) Reason {
	for _, r := range [...]struct {
		err    error
		reason Reason
	}{
		{ErrTooLarge, TooLarge},
		{ErrName, BadName},
		{ErrPermission, Permission},
		{ErrQuota, Quota},
		{ErrBroken, Broken},
		{ErrRefused, Refused},
	} {
		if errors.Is(err, r.err) {
			return r.reason
		}
	}
	return Failed
}

// Skip is a message, or a mailbox, that was not migrated.
type Skip struct {
	Mailbox string // in the source
	ID      string // of the message; "" = the mailbox
	Size    int64
	Reason  Reason
	Err     error // for the operator
}

// Problem is a difference between source and target.
type Problem struct {
	Mailbox string // in the source
	Target  string
	ID, Ref string // of the message, in the source and in the target; "" = none
	Kind    Damage
	Detail  string
}

// Damage is the kind of a Problem.
type Damage string

// The kinds of damage that Verify tells apart.
const (
	MailboxMissing Damage = "mailbox missing" // in the target
	Missing        Damage = "missing"         // not in the target
	NotCopied      Damage = "not copied"      // in the source, and no pass has copied it
	WrongSize      Damage = "wrong size"
	WrongBody      Damage = "wrong body"
	WrongFlags     Damage = "wrong flags"
	WrongDate      Damage = "wrong date"
	Unreadable     Damage = "unreadable"
	Extra          Damage = "extra" // twice in the target
)

// Err is ErrLoss when something was left out, ErrDiffers when a verification found
// a difference, both joined, or nil.
func (r *Report) Err() error {
	var loss, differs error
	failed := 0
	for i := range r.Boxes {
		if r.Boxes[i].Err != nil {
			failed++
		}
	}
	if r.Skipped > 0 || failed > 0 {
		loss = fmt.Errorf("%w: %d messages skipped, %d mailboxes not whole", ErrLoss, r.Skipped, failed)
	}
	if r.Different > 0 {
		differs = fmt.Errorf("%w in %d places", ErrDiffers, r.Different)
	}
	return errors.Join(loss, differs)
}

// Kind is what an Event tells.
type Kind string

// The kinds of events.
const (
	Started  Kind = "started"  // the source was listed; Totals.Mailboxes and Expected are known
	Begun    Kind = "begun"    // a mailbox
	Ended    Kind = "ended"    // a mailbox; Totals are its own
	Copied   Kind = "copied"   // a message, durably
	Matched  Kind = "matched"  // a message was there already
	Skipped  Kind = "skipped"  // a message or a mailbox; Err says why
	WentAway Kind = "gone"     // a mailbox, see Gone; Totals have Removed and Kept of it
	Retrying Kind = "retrying" // a mailbox, after Err
	Checked  Kind = "checked"  // a message was verified
	Differs  Kind = "differs"  // Err tells the Problem
	Finished Kind = "finished" // the run; Totals are those of all
)

// Event is one step of a run, for bars, logs and machines.
type Event struct {
	Kind     Kind
	Mailbox  string // in the source
	Target   string
	ID       string // of the message
	Size     int64
	Reason   Reason
	Err      error
	Totals   Totals // of the mailbox in Begun and Ended, else of the run so far
	Expected Totals // of the run: Copied and Bytes to come to, as far as it is known
}
