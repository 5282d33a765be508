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
// from any state of the machine's load: it never measures time, and gives up
// on a call that must return only after Config.Patience.
//
// What takes too long to wait for (24 hours of Holds, 30 days of Once) and
// what needs a power cut is left to the backend's own tests.
package storetest
