package storetest

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// keysmith changes what a KeyWriter does; what is nil is sound.
type keysmith struct {
	store.KeyWriter
	list  func(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error]
	write func(ctx context.Context, changes []store.KeyChange) (done bool, err error)
}

func (k keysmith) Keys(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
	if k.list != nil {
		return k.list(ctx, id, uids)
	}
	return k.KeyWriter.Keys(ctx, id, uids)
}

func (k keysmith) WriteKeys(ctx context.Context, changes []store.KeyChange) error {
	if k.write != nil {
		if done, err := k.write(ctx, changes); done {
			return err
		}
	}
	return k.KeyWriter.WriteKeys(ctx, changes)
}

func forging(f func(b *brokenAccount, k *keysmith)) hooks {
	return capable(func(b *brokenAccount, sound store.KeyWriter) store.KeyWriter {
		k := keysmith{KeyWriter: sound}
		f(b, &k)
		return k
	})
}

// eachKey does something else for the changes to which f says so.
func eachKey(f func(b *brokenAccount, ctx context.Context, c *store.KeyChange) (done bool)) func() hooks {
	return always(forging(func(b *brokenAccount, k *keysmith) {
		k.write = func(ctx context.Context, changes []store.KeyChange) (bool, error) {
			rest := slices.Clone(changes)
			rest = slices.DeleteFunc(rest, func(c store.KeyChange) bool { return len(rest) <= store.MaxKeys && f(b, ctx, &c) })
			return true, k.KeyWriter.WriteKeys(ctx, rest)
		}
	}))
}

func keyDefects() []defect { return slices.Concat(keyWriteDefects(), keyListDefects()) }

func keyWriteDefects() []defect {
	put := func(b *brokenAccount, ctx context.Context, key string, value []byte) bool {
		_, err := b.Account.Apply(ctx, store.Change{Ops: []store.Op{store.PutEntry{Key: key, Value: value}}})
		return err == nil
	}
	return []defect{
		{"writes the key of a message once", "KeyWritten", eachKey(func(_ *brokenAccount, _ context.Context, c *store.KeyChange) bool {
			return string(c.New) == "again"
		})},
		{"writes over a key that is newer", "KeyCompares", always(forging(func(b *brokenAccount, k *keysmith) {
			k.write = func(ctx context.Context, changes []store.KeyChange) (bool, error) {
				for m, err := range b.Account.Messages(ctx, changes[0].Mailbox, store.Query{Fields: store.FieldContent}) {
					if err == nil && string(changes[0].New) == "stale" && m.UID == changes[0].UID {
						changes[0].Old = slices.Clone(m.Key)
					}
				}
				return false, nil
			}
		}))},
		{"takes a ModSeq for a key", "KeyNoModSeq", eachKey(func(b *brokenAccount, ctx context.Context, c *store.KeyChange) bool {
			return string(c.New) == "new key" && !put(b, ctx, "keys", []byte("written"))
		})},
		{"fails to write keys where a message went", "KeyGone", always(forging(func(_ *brokenAccount, k *keysmith) {
			k.write = func(_ context.Context, changes []store.KeyChange) (bool, error) {
				return string(changes[0].Old) == "x", store.ErrNoMessage
			}
		}))},
		{"keeps the octets of the key that it is given", "KeyOwn", sharedKeys},
		{"writes any number of keys", "KeyLimits", always(forging(func(_ *brokenAccount, k *keysmith) {
			k.write = func(_ context.Context, changes []store.KeyChange) (bool, error) {
				return len(changes) > store.MaxKeys, nil
			}
		}))},
		{"writes an entry's value as another entry", "KeyEntry", eachKey(func(b *brokenAccount, ctx context.Context, c *store.KeyChange) bool {
			return c.Entry == "k" && string(c.New) == "1" && put(b, ctx, c.Entry, c.New)
		})},
		{"brings back an entry with its value", "KeyEntryCompares", eachKey(func(b *brokenAccount, ctx context.Context, c *store.KeyChange) bool {
			return string(c.New) == "back" && put(b, ctx, c.Entry, c.New)
		})},
		{"loses keys when it is closed", "KeyReopen", lostKeys},
	}
}

// sharedKeys shows the octets that the caller has meanwhile.
func sharedKeys() hooks {
	var mu sync.Mutex
	var last []byte
	h := forging(func(_ *brokenAccount, k *keysmith) {
		k.write = func(_ context.Context, changes []store.KeyChange) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			if len(changes) == 1 {
				last = changes[0].New
			}
			return false, nil
		}
	})
	h.messages = eachMessage(func(m *store.Message, _ store.Query) bool {
		mu.Lock()
		defer mu.Unlock()
		if string(last) == "XXX" && string(m.Key) == "new" {
			m.Key = last
		}
		return true
	})().messages
	return h
}

// lostKeys undoes, at reopen, what WriteKeys did.
func lostKeys() hooks {
	var undo []func()
	h := forging(func(b *brokenAccount, k *keysmith) {
		k.write = func(ctx context.Context, changes []store.KeyChange) (bool, error) {
			back := slices.Clone(changes)
			for i := range back {
				back[i].Old, back[i].New = slices.Clone(back[i].New), slices.Clone(back[i].Old)
			}
			undo = append(undo, func() { _ = k.KeyWriter.WriteKeys(context.WithoutCancel(ctx), back) })
			return false, nil
		}
	})
	h.reopen = func(*testing.T, *broken) {
		for _, f := range undo {
			f()
		}
	}
	return h
}

func keyListDefects() []defect {
	return []defect{
		{"lists all keys though it is asked for some", "KeysListed", always(forging(func(_ *brokenAccount, k *keysmith) {
			k.list = func(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
				if len(uids) == 3 {
					uids = nil
				}
				return k.KeyWriter.Keys(ctx, id, uids)
			}
		}))},
		{"forgets the keys of expunged messages", "KeysExpunged", always(forging(func(b *brokenAccount, k *keysmith) {
			k.list = func(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
				return b.Account.Messages(ctx, id, store.Query{UIDs: uids, Fields: store.FieldIDs | store.FieldContent})
			}
		}))},
		{"locks while it lists keys", "KeysApplyInside", func() hooks {
			var mu sync.Mutex
			return forging(func(_ *brokenAccount, k *keysmith) {
				k.list = func(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
					return func(yield func(*store.Message, error) bool) {
						mu.Lock()
						defer mu.Unlock()
						k.KeyWriter.Keys(ctx, id, uids)(yield)
					}
				}
				k.write = func(context.Context, []store.KeyChange) (bool, error) {
					mu.Lock()
					defer mu.Unlock()
					return false, nil
				}
			})
		}},
		{"lists no keys of a mailbox that is not there", "KeysNoMailbox", always(forging(func(_ *brokenAccount, k *keysmith) {
			k.list = func(ctx context.Context, id store.MailboxID, uids store.UIDSet) iter.Seq2[*store.Message, error] {
				return func(yield func(*store.Message, error) bool) {
					for m, err := range k.KeyWriter.Keys(ctx, id, uids) {
						if errors.Is(err, store.ErrNoMailbox) || !yield(m, err) {
							return
						}
					}
				}
			}
		}))},
	}
}
