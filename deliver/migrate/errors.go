package migrate

import "errors"

// Errors of sources and targets, to be found by errors.Is. An error that is none
// of these may pass, as a lost connection does.
var (
	ErrNoMailbox  = errors.New("migrate: no such mailbox")
	ErrPermission = errors.New("migrate: not permitted")
	ErrName       = errors.New("migrate: name not allowed")
	ErrGone       = errors.New("migrate: message went meanwhile")
	ErrBroken     = errors.New("migrate: message cannot be read")
	ErrTooLarge   = errors.New("migrate: message too large")
	ErrQuota      = errors.New("migrate: over quota")
	ErrRefused    = errors.New("migrate: refused by the target")
	ErrWriter     = errors.New("migrate: the target lost its place")
	ErrLogin      = errors.New("migrate: login refused")
)

// Errors of Run and Verify.
var (
	// ErrLoss: messages or mailboxes could not be migrated; the Report has them.
	ErrLoss = errors.New("migrate: not everything was migrated")
	// ErrDiffers: Verify found differences; the Report has them.
	ErrDiffers = errors.New("migrate: source and target differ")
	// ErrLimit: the run ended at Options.MaxBytes; the next one goes on.
	ErrLimit = errors.New("migrate: limit of this run reached")
	// ErrBusy: another run of the same migration is at work.
	ErrBusy = errors.New("migrate: this migration is running elsewhere")
	// ErrState: the state of a migration is damaged, or from a newer version.
	ErrState = errors.New("migrate: state of the migration cannot be read")
	// ErrNoKeeper: the target keeps no state, and Options.State is nil.
	ErrNoKeeper = errors.New("migrate: nowhere to keep the state")
	// ErrChanged: a file changed while it was read; the next pass reads it again.
	ErrChanged = errors.New("migrate: source changed while it was read")
)

// permanent reports whether trying again in the same run is of no use.
func permanent(err error) bool {
	for _, e := range [...]error{
		ErrNoMailbox, ErrPermission, ErrName, ErrQuota, ErrRefused, ErrLogin,
		ErrLimit, ErrBusy, ErrState, ErrNoKeeper,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
