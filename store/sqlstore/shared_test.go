package sqlstore

import (
	"testing"

	"github.com/mailstead/mailstead/store"
)

// TestLatePublish: a commit that is published after a reader saw a later one of
// another node does not take that back.
func TestLatePublish(t *testing.T) {
	id := store.NewMailboxID()
	at := func(version int64, next store.UID) *account {
		b := &box{num: 1, Mailbox: store.Mailbox{ID: id, Name: "INBOX", UIDNext: next}}
		a := &account{num: 1, version: version, modSeq: store.ModSeq(version), boxes: map[store.MailboxID]*box{id: b}}
		a.mark(b)
		return a
	}
	s := &Store{}
	s.wake.init()
	a := at(7, 10)
	s.catchUp(a, at(8, 20))
	if a.show() || a.pub.version != 8 || a.pub.modSeq != 8 || a.pub.boxes[id].UIDNext != 20 {
		t.Errorf("readers see version %d, UIDNEXT %d", a.pub.version, a.pub.boxes[id].UIDNext)
	}
	s.catchUp(a, at(6, 5))
	if a.pub.version != 8 {
		t.Errorf("readers see version %d behind 8", a.pub.version)
	}
}

func TestSizeOf(t *testing.T) {
	for n, want := range map[int]int{1: 1, 2: 2, 3: 4, 64: 64, 65: 128} {
		if got := sizeOf(n); got != want {
			t.Errorf("sizeOf(%d) = %d, want %d", n, got, want)
		}
	}
}
