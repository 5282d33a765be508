// Package readonly lets a store be read and refuses every write with
// store.ErrReadOnly: for a server beside a restore, for audits, and for
// looking into a backup.
//
// All that only reads is served by the store below, with its invariants; of
// the optional capabilities Searcher, Sorter and Snapshotter are let through,
// and those that write (MetaWriter, MaildropLocker, Holder) are not found, so
// that their helpers use the fallbacks. ClaimRecent is a write: sessions of a
// read-only store claim nothing.
//
// It is also the shortest wrapper that has a method As; see store.As.
package readonly
