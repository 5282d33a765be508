package imapsearch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/searchtext"
	"github.com/mailstead/mailstead/store/view"
)

// honest is an account with an index that knows the truth about some messages
// and says so of the others.
type honest struct {
	store.Account
	rnd   *rand.Rand
	asked int
	read  int // bodies
}

func (h *honest) SearchText(ctx context.Context, q store.SearchQuery) (hits store.SearchHits, err error) {
	h.asked++
	match := searchtext.Matcher(q.Text, q.In)
	for m, err := range h.Account.Messages(ctx, q.Mailbox, store.Query{UIDs: q.UIDs, Fields: store.FieldContent | store.FieldMeta}) {
		if err != nil {
			return hits, err
		}
		c, err := h.Account.Content(ctx, q.Mailbox, m.UID)
		if err != nil {
			return hits, err
		}
		ok, err := match(ctx, m, c)
		c.Close()
		switch {
		case err != nil:
			return hits, err
		case h.rnd.IntN(3) == 0:
			hits.Unknown.Add(m.UID)
		case ok:
			hits.Match.Add(m.UID)
		}
	}
	return hits, nil
}

func (h *honest) Content(ctx context.Context, id store.MailboxID, uid store.UID) (store.Content, error) {
	h.read++
	return h.Account.Content(ctx, id, uid)
}

// library is a mailbox with n messages of few words.
func library(t *testing.T, rnd *rand.Rand, n int) Mailbox {
	t.Helper()
	st := memstore.New(nil)
	if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	a, err := st.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	inbox, err := store.MailboxByName(t.Context(), a, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	word := func() string { return words[rnd.IntN(len(words))] }
	for i := range n {
		text := fmt.Sprintf("Subject: %s\r\nX-Mark: %s %s\r\n\r\n%s %s\r\n", word(), word(), word(), word(), word())
		msg := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(text), BodySize: int64(len(text)), Keywords: []string{fmt.Sprintf("Key%d", i)}}
		if rnd.IntN(2) == 0 {
			msg.Flags = store.Seen
		}
		if _, err := store.AppendMessage(t.Context(), st, a, "", msg); err != nil {
			t.Fatal(err)
		}
	}
	views := view.New(st, view.Options{})
	t.Cleanup(func() { views.Close(); st.Close() })
	v, err := views.Open(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Release)
	table, err := v.Table(t.Context(), inbox.ID)
	if err != nil {
		t.Fatal(err)
	}
	return Mailbox{Mailbox: imapmsg.Mailbox{Account: a, ID: inbox.ID}, Table: table, Known: store.UIDSet{{First: 1, Last: store.UID(n)}}}
}

var words = []string{"alpha", "Beta", "gamma", "GRÜßE", "delta", "mark", "subject"}

// textProgram is a random program of texts and flags.
func textProgram(rnd *rand.Rand) (p Program) {
	for range 1 + rnd.IntN(4) {
		n := Node{Text: searchtext.Fold(words[rnd.IntN(len(words))])}
		switch rnd.IntN(4) {
		case 0:
			n.Op = OpBody
		case 1:
			n.Op = OpText
		case 2:
			n.Op, n.Name = OpHeader, "x-mark"
			if rnd.IntN(4) == 0 {
				n.Text = ""
			}
		case 3:
			n = Node{Op: OpFlag, Flag: store.Seen}
		}
		whole := int32(len(p) - 1)
		p = append(p, n)
		if rnd.IntN(3) == 0 {
			p = append(p, Node{Op: OpNot, Left: int32(len(p) - 1)})
		}
		if whole >= 0 {
			p = append(p, Node{Op: []Op{OpAnd, OpOr}[rnd.IntN(2)], Left: whole, Right: int32(len(p) - 1)})
		}
	}
	return p
}

// TestIndex: what an index says changes what is read, never what is found.
func TestIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 9))
	in := library(t, rnd, 60)
	plain := in.Account
	asked := 0
	for range 300 {
		p := textProgram(rnd)
		in.Account = plain
		want, err := Find(t.Context(), in, p)
		if err != nil {
			t.Fatal(err)
		}
		h := &honest{Account: plain, rnd: rnd}
		in.Account = h
		got, err := Find(t.Context(), in, p)
		if err != nil {
			t.Fatal(err)
		}
		if asked += h.asked; !slices.Equal(got, want) {
			t.Fatalf("%+v: %v with an index, %v without", p, got, want)
		}
	}
	if asked < 100 {
		t.Errorf("the index was asked %d times", asked)
	}
}
