// Package memstore is a store.Store that lives in memory: the oracle of the
// other backends, and the store of tests and small examples. Nothing survives
// the process.
//
// It is written to be read beside the contract: one file an Op. An account is
// one struct under one mutex. A Change runs under that mutex and keeps a list
// of undo steps; when an Op is refused the steps run backwards, so that nobody
// ever sees half a Change. Records of messages are immutable and replaced
// whole, so a reader copies a page of pointers under the mutex and works on
// without it.
//
// Tombstones are kept until [Store.Purge]. Finding what changed since a ModSeq walks
// over the mailbox: this store is meant for thousands of messages a mailbox,
// not millions.
//
// Of the optional capabilities it has MaildropLocker, MetaWriter, Snapshotter
// (a copy of the tables of pointers) and Holder; it has no index of texts, so
// Search and Sort use their fallbacks.
//
// Lock order: account.mu, then Store.mu. No method holds a lock while code of
// the caller or of the blob store runs.
package memstore
