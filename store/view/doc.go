// Package view keeps one warm, shared picture of a mailbox for a whole
// process, so that a thousand sessions on one mailbox cost one table, and a
// change is read from the store once however many clients watch.
//
// A [Views] belongs to a process (or to a server). [Views.Open] gives out a
// counted handle on an account. The handle's [Account.Refresh] returns a
// [State]: the list of mailboxes as of one mod-sequence, immutable.
// [Account.Table] returns a [Table]: the messages of one mailbox, immutable
// too, with what protocols ask for all the time: UID, flags, mod-sequence and
// size, in 24 octets a message.
//
//	views := view.New(st, view.Options{})
//	defer views.Close()
//	acct, err := views.Open(ctx, "alice@example.org")
//	defer acct.Release()
//	state, err := acct.Refresh(ctx)
//	table, err := acct.Table(ctx, state.Named("INBOX").ID)
//	for row := range table.Rows(1, table.MaxUID()) { ... }
//
// [Account.Texts] keeps beside it what somebody read of the messages and will
// look into again, such as their subjects for searches.
//
// # Invariants
//
//   - I1: A State or Table never changes. Readers need no lock.
//   - I2: A Table holds every change to its mailbox up to its ModSeq, and it
//     may hold later ones; the ModSeq of the next Table is never smaller.
//   - I3: Refresh sees every Change whose Apply returned before Refresh was
//     called.
//   - I4: Evicting a Table loses nothing but time: it is read again.
//     The same holds for a Texts.
//   - I5: A hint may come too often, and several changes give one hint; after
//     a change at least one hint comes.
//
// # Concurrency
//
// Everything may be used from any number of goroutines. One goroutine runs for
// each account that has at least one [Watch], and blocks in the store's Wait;
// it ends with the last Watch, and Close waits for it. Lock order:
// Account.busy, then Account.mu; watch.mu or Texts.mu, then Views.mu. A hint is given under
// watch.mu alone.
package view
