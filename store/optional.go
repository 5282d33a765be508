package store

import "github.com/mailstead/mailstead/store/blob"

// Optional capabilities. Each stands in a file of its own, with the interface,
// the helper that everyone calls, and what the helper does where the interface
// is missing:
//
//	interface       on       file           helper                       without it
//	Searcher        Account  search.go      Search                       reads the messages, within a bound
//	Sorter          Account  sort.go        Sort                         sorts by Meta, within a bound
//	MaildropLocker  Account  maildrop.go    Maildrops.Lock               locks within the process
//	MetaWriter      Account  metawriter.go  OfferMeta, LoadMeta          computes again each time
//	Snapshotter     Account  snapshot.go    ReadAccount                  reads deltas until nothing changes
//	Holder          Account  hold.go        PutHold, DropHold, ListHolds ErrUnsupported
//	KeyWriter       Account  keywriter.go   ListKeys, WriteKeys          lists what is there; ErrUnsupported
//
// A wrapper that only adds to a store has a method `Unwrap() any`, and all
// capabilities of what it wraps are reached through it. A wrapper that changes
// octets, refuses writes or counts has `As(target any) bool`, which alone
// decides what is reached: it sets *target and returns true for each
// capability that it has itself or lets through, and false for all that it
// does not know. The wrapper of a Store wraps the Accounts it opens, too.

// As finds an optional capability T of s: it asks each layer's own
// `As(target any) bool` first, and walks Unwrap only past layers that have
// none. Callers use the helper beside each capability, which has a fallback.
// The layers are not changed, and As may be called from any goroutine.
func As[T any](s any) (T, bool) { return blob.As[T](s) }
