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

	// Nodes makes an empty store and returns n handles on its data, each as
	// another process or node has one, and closes them in t.Cleanup; nil =
	// the data has one owner, the subtests about nodes are skipped.
	Nodes func(t *testing.T, n int) []store.Store

	// Faults makes the storage under s fail from now on, or work again
	// (FaultNone); nil = the subtests about faults are skipped. Reopen is
	// called after FaultNone.
	Faults func(t *testing.T, s store.Store, f Fault)

	// Has is what the backend declares to have. What it has not must be
	// refused or absent as each Capability says.
	Has Capability

	// Patience is how long the suite waits for a call that must return;
	// zero = 30 s.
	Patience time.Duration

	small bool // the suite's own tests run every check with less
	slow  bool // a second is too short for them
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

	// Everything is what a backend for all of mail has.
	Everything = Imports | Threads

	// The optional capabilities of package store. What is not declared must
	// not be found by store.As.
	Searches  Capability = 1 << (iota + 5) // store.Searcher
	Sorts                                  // store.Sorter
	Locks                                  // store.MaildropLocker
	Metas                                  // store.MetaWriter
	Snapshots                              // store.Snapshotter
	Retains                                // store.Holder
	Keys                                   // store.KeyWriter
)

// check is one rule and the code that tries to break it.
type check struct {
	name  string
	rule  string
	needs Capability
	run   func(e *env)

	persistent bool // needs Config.Reopen
	purges     bool // needs Config.Purge
	nodes      bool // needs Config.Nodes
	faults     bool // needs Config.Faults
	heavy      bool // takes long; the suite's own tests run it less often
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	for _, k := range checks() {
		t.Run(k.name, func(t *testing.T) {
			if why := c.lacks(k); why != "" {
				t.Skipf("%s: %s", why, k.rule)
			}
			runCheck(t, t, c, k)
		})
	}
}

// lacks says why a check cannot be run; "" = it can.
func (c Config) lacks(k check) string {
	switch {
	case k.needs&^c.Has != 0:
		return "the backend does not declare what this needs"
	case k.persistent && c.Reopen == nil:
		return "not persistent"
	case k.purges && c.Purge == nil:
		return "keeps all tombstones"
	case k.nodes && c.Nodes == nil:
		return "one owner"
	case k.faults && c.Faults == nil:
		return "no faults on demand"
	}
	return ""
}

// checks are all rules.
func checks() []check {
	return slices.Concat(
		accountChecks(), appendChecks(), concurrentChecks(), messagesChecks(), contentChecks(),
		flagsChecks(), expungeChecks(), copyChecks(), mailboxChecks(), renameChecks(), nameChecks(),
		changeChecks(), onceChecks(), quotaChecks(), entryChecks(), waitChecks(), holdChecks(),
		threadChecks(), recentChecks(), importChecks(), randomChecks(), reopenChecks(), purgeChecks(),
		cancelChecks(), raceChecks(), actorChecks(), collectChecks(), nodesChecks(), faultChecks(),
		wrapChecks(), retainChecks(), capabilityChecks(), keyChecks(), snapshotChecks(), largeChecks(),
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
	e := &env{r: r, t: t, c: c, ctx: ctx, rule: k.rule}
	if k.nodes {
		nodes := c.Nodes(t, 2)
		e.s, e.others = nodes[0], nodes[1:]
	} else {
		e.s = c.New(t)
	}
	k.run(e)
}
