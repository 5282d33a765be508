package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// Config says what is judged.
type Config struct {
	// New makes an empty store for one subtest and closes it in t.Cleanup.
	New func(t *testing.T) store.Store

	// Reopen closes s and opens what it kept; nil = not persistent, the
	// subtests about persistence are skipped.
	Reopen func(t *testing.T, s store.Store) store.Store

	// Purge makes s forget the tombstones of an account up to a ModSeq; nil =
	// the backend keeps all, the subtests about purging are skipped.
	Purge func(t *testing.T, s store.Store, id store.AccountID, upTo store.ModSeq)

	// Has is what the backend declares to have. What it has not must be
	// refused or absent as each Capability says.
	Has Capability

	// Patience is how long the suite waits for a call that must return;
	// zero = 30 s.
	Patience time.Duration
}

// Capability is a set of what a backend may leave out.
type Capability uint

// The capabilities.
const (
	// Imports: Import and the importing state. Without it Import is refused
	// with ErrNotImporting.
	Imports Capability = 1 << iota
	// Threads: Append joins threads. Without it a message is its own thread.
	Threads

	Everything = Imports | Threads
)

// check is one rule and the code that tries to break it.
type check struct {
	name  string
	rule  string
	needs Capability
	run   func(e *env)

	persistent bool // needs Config.Reopen
	purges     bool // needs Config.Purge
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	for _, k := range checks() {
		t.Run(k.name, func(t *testing.T) {
			if k.needs&^c.Has != 0 {
				t.Skipf("the backend does not declare what this needs: %s", k.rule)
			}
			if k.persistent && c.Reopen == nil {
				t.Skipf("not persistent: %s", k.rule)
			}
			if k.purges && c.Purge == nil {
				t.Skipf("keeps all tombstones: %s", k.rule)
			}
			runCheck(t, t, c, k)
		})
	}
}

// checks are all rules.
func checks() []check {
	return slices.Concat(
		accountChecks(), appendChecks(), concurrentChecks(), messagesChecks(), contentChecks(),
		flagsChecks(), expungeChecks(), copyChecks(), mailboxChecks(), renameChecks(), nameChecks(),
		changeChecks(), onceChecks(), quotaChecks(), entryChecks(), waitChecks(), holdChecks(),
		threadChecks(), recentChecks(), importChecks(), randomChecks(), reopenChecks(), purgeChecks(),
	)
}

// reporter is the part of *testing.T through which a check speaks, so that the
// suite's own tests can listen.
type reporter interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	FailNow()
}

func runCheck(t *testing.T, r reporter, c Config, k check) {
	if c.Patience == 0 {
		c.Patience = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*c.Patience)
	defer cancel()
	k.run(&env{r: r, t: t, c: c, ctx: ctx, rule: k.rule, s: c.New(t)})
}
