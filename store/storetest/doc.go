// Package storetest judges a store.Store: Run has one subtest for each rule of
// the contract, and every failure begins with the rule that was broken. The
// rules with a number (I1...) are the invariants in the documentation of
// package store.
//
// A backend calls it from a test:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, storetest.Config{
//			New:    func(t *testing.T) store.Store { return open(t, t.TempDir()) },
//			Reopen: reopen,
//			Has:    storetest.Everything,
//		})
//	}
//
// Every subtest has a store of its own, made by Config.New. The suite runs
// from any state of the machine's load: but for the second in which a node has
// to wake it never measures time, and gives up
// on a call that must return only after Config.Patience.
//
// docs/storetest.md lists every case with its rule, and with the broken store
// that it alone finds. A backend with several handles on its data gives
// Config.Nodes, one whose storage can be made to fail Config.Faults, and
// declares its optional capabilities in Config.Has. MAILSTEAD_FULL=1 in the
// environment makes what is large as large as it gets: a mailbox of a million
// messages.
//
// What takes too long to wait for (24 hours of Holds, 30 days of Once) and
// what needs a power cut is left to the backend's own tests.
package storetest

//go:generate go test . -run TestDocs -update
