// Package acl keeps who may do what with a mailbox (RFC 4314), as entries of any
// [store.Store]. It decides nothing by itself: servers and deliveries ask it
// before they hand a Change to the store.
//
//	err := acl.Set(ctx, st, "alice@example.org", box, "bob@example.org", acl.Modification{Rights: acl.Lookup | acl.Read})
//	list, err := acl.ReadList(ctx, account, box)
//	if list.OfAnyone().Has(acl.Post) { ... }
//
// Who asks often keeps a [Book], which reads only what changed.
//
// # Entries
//
// All are of the account, not of a mailbox, so that one range holds them:
//
//	account of    key                                   value
//	the owner     "acl/" hex(MailboxID) "/" identifier  letters of the rights
//	who may look  "acl-from/" owner                     empty
//	who looks     "acl-sub/" owner "/" name             empty: subscribed
//
// A MailboxID comes only once, so rights never pass to another mailbox. Whoever
// deletes a mailbox adds [List.Forget] to the Change; what is left behind without
// that gives nobody anything.
//
// The second kind is an index. Nobody could find out who shares with him but by
// reading every account; so [Set] tells the account that it names. Without that
// entry a right is not found; with it, and without a right, nothing is given
// away. [Rebuild] makes the index anew.
//
// # RFCs
//
//	RFC 4314 §2, §3.1, §3.2   full: negative rights, c and d; identifiers are account ids, "anyone"
//	                          and "authenticated". SASLprep is the caller's (login.Canonical)
//
// # Invariants
//
//   - I1: The owner has [Kept] always, and all rights unless a list names him.
//   - I2: An entry that is not understood gives no right, and where it takes
//     rights away it takes all.
//   - I3: When Set returned, the account that it names knows the owner; when
//     Remove returned, it knows him only if a list still names it. Both hold
//     however calls overlap.
//   - I4: A list has at most [MaxIdentifiers] entries, all lists of an account
//     [MaxEntries], but for calls that overlap.
//
// # What a crash leaves
//
//	in            between                      then
//	Set           index and list               an owner who shares nothing; harmless, and Rebuild takes it away
//	Remove        list and index               the same
//	Remove        taking away and giving back  a right that is not found until the next Set or Rebuild
//
// # Concurrency
//
// Functions may be called from any number of goroutines and processes; they hold
// no lock. A Book has one, which is held while its reader asks the store, and is a
// leaf.
package acl
