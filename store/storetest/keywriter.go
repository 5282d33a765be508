package storetest

import (
	"slices"
	"time"

	"github.com/mailstead/mailstead/store"
)

func keyChecks() []check {
	return []check{
		{name: "KeyWritten", rule: "WriteKeys puts another Key in the place of the one that a message has", needs: Keys, run: keyWritten},
		{name: "KeyCompares", rule: "I15: WriteKeys leaves a message alone that does not have the Key Old", needs: Keys, run: keyCompares},
		{name: "KeyNoModSeq", rule: "WriteKeys takes no ModSeq and changes nothing but the Key", needs: Keys, run: keyNoModSeq},
		{name: "KeyGone", rule: "WriteKeys of what is not there is no error, and carries out the rest", needs: Keys, run: keyGone},
		{name: "KeyOwn", rule: "the octets that WriteKeys is given stay the caller's", needs: Keys, run: keyOwn},
		{name: "KeyLimits", rule: "WriteKeys of more than MaxKeys fails with ErrTooLarge, without Old or New with ErrInvalid", needs: Keys, run: keyLimits},
		{name: "KeyEntry", rule: "WriteKeys replaces the value Old of an entry, and neither its ModSeq nor its end", needs: Keys, run: keyEntry},
		{name: "KeyEntryCompares", rule: "I15: WriteKeys leaves an entry alone that does not have the value Old", needs: Keys, run: keyEntryCompares},
		{name: "KeysListed", rule: "Keys yields the messages of its UIDs in ascending order, with EmailID, Blob, Key and Prefix", needs: Keys, run: keysListed},
		{name: "KeysExpunged", rule: "Keys yields an expunged message that Content opens, and WriteKeys reaches it", needs: Keys, run: keysExpunged},
		{name: "KeysApplyInside", rule: "I12: the loop body of Keys may write", needs: Keys, run: keysInside},
		{name: "KeysNoMailbox", rule: "Keys of a mailbox that is not there, or was deleted, fails with ErrNoMailbox", needs: Keys, run: keysNoMailbox},
		{name: "KeyReopen", rule: "I6: a Key that was written is there when the store is opened again", needs: Keys, persistent: true, run: keyReopen},
	}
}

// sealed appends n messages that have a Key.
func (h *handle) sealed(n int) store.UIDSet {
	h.e.r.Helper()
	op := h.e.keyed(h.message(h.inbox, "sealed"), "old")
	op.Prefix = []byte("p:")
	var uids store.UIDSet
	for range n {
		op.EmailID = store.NewEmailID()
		uids.AddSet(h.do(op).Ops[0].Dest)
	}
	return uids
}

func (h *handle) writeKeys(changes ...store.KeyChange) {
	h.e.r.Helper()
	h.e.ok("WriteKeys", capability[store.KeyWriter](h).WriteKeys(h.e.ctx, changes))
}

// rekey is a change from the Key that the message has.
func (h *handle) rekey(uid store.UID, key string) store.KeyChange {
	h.e.r.Helper()
	return store.KeyChange{Mailbox: h.inbox, UID: uid, Old: h.one(h.inbox, uid).Key, New: []byte(key)}
}

func (h *handle) keyOf(uid store.UID) string { return string(h.one(h.inbox, uid).Key) }

// entryList is all entries.
func (h *handle) entryList() (out []store.Entry) {
	h.e.r.Helper()
	for e, err := range h.Entries(h.e.ctx, store.EntryQuery{All: true}) {
		h.e.ok("Entries", err)
		out = append(out, e)
	}
	return out
}

// keys lists what Keys yields.
func (h *handle) keys(uids store.UIDSet) (out []store.Message) {
	h.e.r.Helper()
	for m, err := range capability[store.KeyWriter](h).Keys(h.e.ctx, h.inbox, uids) {
		h.e.ok("Keys", err)
		c := *m
		c.Key, c.Prefix = slices.Clone(m.Key), slices.Clone(m.Prefix)
		out = append(out, c)
	}
	return out
}

func keyWritten(e *env) {
	h := e.account("alice")
	uids := h.sealed(3)
	h.writeKeys(h.rekey(uids.Min(), "first"), h.rekey(uids.Max(), "last"))
	e.same("Key", h.keyOf(uids.Min()), "first")
	e.same("Key", h.keyOf(uids.Max()), "last")
	h.writeKeys(h.rekey(uids.Min(), "again"))
	e.same("Key", h.keyOf(uids.Min()), "again")
}

func keyCompares(e *env) {
	h := e.account("alice")
	uid := h.sealed(1).Min()
	stale, now := h.rekey(uid, "stale"), h.rekey(uid, "now")
	h.writeKeys(now)
	h.writeKeys(stale)
	e.same("Key", h.keyOf(uid), "now")
}

func keyNoModSeq(e *env) {
	h := e.account("alice")
	uids := h.sealed(2)
	other := h.create("other")
	h.do(store.Copy{Source: h.inbox, UIDs: uids, Dest: other})
	blank := func() (out []store.Message) {
		for _, m := range slices.Concat(h.all(h.inbox), h.all(other)) {
			if m.UID == uids.Min() && string(m.Key) == "new key" {
				m.Key = nil
			}
			out = append(out, m)
		}
		return out
	}
	before, now := blank(), h.modSeq()
	h.writeKeys(h.rekey(uids.Min(), "new key"))
	e.same("the account's ModSeq", h.modSeq(), now)
	before[0].Key = nil
	e.same("the messages", blank(), before)
	e.same("what changed since", len(h.query(h.inbox, store.Query{Since: now})), 0)
}

func keyGone(e *env) {
	h := e.account("alice")
	uid := h.sealed(1).Min()
	h.writeKeys(
		store.KeyChange{Mailbox: store.NewMailboxID(), UID: 1, Old: []byte("x"), New: []byte("y")},
		store.KeyChange{Mailbox: h.inbox, UID: uid + 7, Old: []byte("x"), New: []byte("y")},
		store.KeyChange{Mailbox: h.inbox, Entry: "none", Old: []byte("x"), New: []byte("y")},
		store.KeyChange{Mailbox: store.NewMailboxID(), Entry: "none", Old: []byte("x"), New: []byte("y")},
		h.rekey(uid, "new"),
	)
	e.same("Key", h.keyOf(uid), "new")
	e.same("entries", len(h.entryList()), 0)
}

func keyOwn(e *env) {
	h := e.account("alice")
	uid := h.sealed(1).Min()
	c := h.rekey(uid, "new")
	h.writeKeys(c)
	copy(c.New, "XXX")
	e.same("Key", h.keyOf(uid), "new")
	copy([]byte(h.keys(nil)[0].Key), "XXX")
	e.same("Key", h.keyOf(uid), "new")
}

func keyLimits(e *env) {
	h := e.account("alice")
	uid := h.sealed(1).Min()
	w := capability[store.KeyWriter](h)
	many := make([]store.KeyChange, store.MaxKeys+1)
	for i := range many {
		many[i] = h.rekey(uid, "new")
	}
	e.is("WriteKeys of too many", w.WriteKeys(e.ctx, many), store.ErrTooLarge)
	noOld, noNew := h.rekey(uid, "new"), h.rekey(uid, "")
	noOld.Old = nil
	for _, c := range []store.KeyChange{noOld, noNew} {
		e.is("WriteKeys without Old or New", w.WriteKeys(e.ctx, []store.KeyChange{h.rekey(uid, "new"), c}), store.ErrInvalid)
	}
	if h.keyOf(uid) == "new" {
		e.errorf("a refused WriteKeys has written")
	}
}

func keyEntry(e *env) {
	h := e.account("alice")
	end := time.Now().Add(time.Hour).Round(time.Second)
	h.do(store.PutEntry{Key: "k", Value: []byte("of the account"), Expires: end}, store.PutEntry{Mailbox: h.inbox, Key: "k", Value: []byte("of INBOX")})
	before, now := h.entryList(), h.modSeq()
	h.writeKeys(
		store.KeyChange{Entry: "k", Old: []byte("of the account"), New: []byte("1")},
		store.KeyChange{Mailbox: h.inbox, Entry: "k", Old: []byte("of INBOX"), New: []byte("2")},
	)
	after := h.entryList()
	e.same("the account's ModSeq", h.modSeq(), now)
	for i, want := range []string{"1", "2"} {
		e.same("value", string(after[i].Value), want)
		after[i].Value = before[i].Value
		if !after[i].Expires.Equal(before[i].Expires) {
			e.errorf("the entry ends %v, not %v", after[i].Expires, before[i].Expires)
		}
		e.same("ModSeq", after[i].ModSeq, before[i].ModSeq)
	}
}

func keyEntryCompares(e *env) {
	h := e.account("alice")
	h.do(store.PutEntry{Key: "k", Value: []byte("now")}, store.PutEntry{Key: "gone", Value: []byte("v")})
	h.do(store.PutEntry{Key: "gone"})
	h.writeKeys(store.KeyChange{Entry: "k", Old: []byte("before"), New: []byte("stale")},
		store.KeyChange{Entry: "gone", Old: []byte("v"), New: []byte("back")})
	e.same("entries", h.entries(store.EntryQuery{}), []string{"k=now"})
}

func keysListed(e *env) {
	h := e.account("alice")
	uids := h.sealed(4)
	got := h.keys(store.UIDs(uids.Min(), uids.Min()+2, uids.Max()+9))
	if len(got) != 2 || got[0].UID != uids.Min() || got[1].UID != uids.Min()+2 {
		e.fatalf("Keys of two UIDs yields %+v", got)
	}
	for _, m := range got {
		want := h.one(h.inbox, m.UID)
		e.same("what Keys tells", []any{m.EmailID, m.Blob, string(m.Key), string(m.Prefix)},
			[]any{want.EmailID, want.Blob, string(want.Key), string(want.Prefix)})
	}
	e.same("number of all", len(h.keys(nil)), 4)
}

func keysExpunged(e *env) {
	h := e.account("alice")
	uids := h.sealed(3)
	lo := uids.Min()
	c := h.rekey(lo, "after the expunge")
	h.do(store.Expunge{Mailbox: h.inbox, UIDs: store.UIDs(lo)})
	if got := h.keys(uids); len(got) != 3 || got[0].UID != lo || string(got[0].Key) != string(c.Old) {
		e.fatalf("Keys yields %+v", got)
	}
	h.writeKeys(c)
	e.same("Key of the expunged message", string(h.keys(store.UIDs(lo))[0].Key), "after the expunge")
}

func keysInside(e *env) {
	h := e.account("alice")
	h.sealed(3)
	w := capability[store.KeyWriter](h)
	e.within("writing in the loop body of Keys", func() {
		n := 0
		for m, err := range w.Keys(e.ctx, h.inbox, nil) {
			e.ok("Keys", err)
			h.writeKeys(store.KeyChange{Mailbox: h.inbox, UID: m.UID, Old: m.Key, New: []byte("inside")})
			h.flag(h.inbox, store.UIDs(m.UID), store.Seen)
			n++
		}
		e.same("number of messages", n, 3)
	})
	for _, m := range h.all(h.inbox) {
		e.same("Key", string(m.Key), "inside")
	}
}

func keysNoMailbox(e *env) {
	h := e.account("alice")
	gone := h.create("gone")
	h.put(gone, 1)
	h.do(store.PutMailbox{ID: gone, Delete: true})
	for _, id := range []store.MailboxID{store.NewMailboxID(), gone} {
		var last error
		for _, err := range capability[store.KeyWriter](h).Keys(e.ctx, id, nil) {
			last = err
		}
		e.is("Keys", last, store.ErrNoMailbox)
	}
}

func keyReopen(e *env) {
	h := e.account("alice")
	uid := h.sealed(1).Min()
	h.do(store.PutEntry{Key: "k", Value: []byte("old")})
	h.writeKeys(h.rekey(uid, "new"), store.KeyChange{Entry: "k", Old: []byte("old"), New: []byte("new")})
	e.reopen()
	h = e.open("alice")
	e.same("Key", h.keyOf(uid), "new")
	e.same("entries", h.entries(store.EntryQuery{}), []string{"k=new"})
}
