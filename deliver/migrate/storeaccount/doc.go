// Package storeaccount makes an account of a store.Store a source and a target of
// package migrate.
//
// A batch of messages and what the migration remembers of them are one
// store.Change: no crash parts them, so a migration into a store loses nothing and
// doubles nothing. What it remembers are entries of the account under "migrate/".
// They are written under the condition that nobody else has written them, so of two
// runs of one migration one ends with migrate.ErrBusy at its first write.
//
// With Options.KeepUIDs messages keep their UIDs, and mailboxes their UIDVALIDITY.
// The account is then in state store.AccountImporting, in which it takes no mail,
// until migrate's last pass calls Finish; an account that has messages or is in use
// is appended to instead.
//
//	power cut during        leaves                          next run
//	Add                     bodies without messages         the store collects them
//	Commit, Alter           the whole Change, or nothing    goes on behind it
//	between the passes      an importing account            goes on; Finish opens it
package storeaccount
