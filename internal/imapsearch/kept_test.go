package imapsearch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/searchtext"
	"github.com/mailstead/mailstead/store/view"
)

// counted counts the messages that are read with fields.
type counted struct {
	store.Account
	read int
}

func (c *counted) Messages(ctx context.Context, id store.MailboxID, q store.Query) iter.Seq2[*store.Message, error] {
	return func(yield func(*store.Message, error) bool) {
		for m, err := range c.Account.Messages(ctx, id, q) {
			if q.Fields != 0 {
				c.read++
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// post is a mailbox that changes.
type post struct {
	st    *memstore.Store
	acct  store.Account
	inbox store.MailboxID
	view  *view.Account
	rnd   *rand.Rand
	long  bool // some fields are too long to be kept
}

func newPost(t testing.TB, rnd *rand.Rand, o view.Options) *post {
	t.Helper()
	p := &post{st: memstore.New(nil), rnd: rnd}
	views := view.New(p.st, o)
	t.Cleanup(func() { views.Close(); p.st.Close() })
	if err := p.st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.acct, err = p.st.Open(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	m, err := store.MailboxByName(t.Context(), p.acct, store.Inbox)
	if err != nil {
		t.Fatal(err)
	}
	p.inbox = m.ID
	if p.view, err = views.Open(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.view.Release)
	return p
}

// deliver appends n messages, of which some lack fields and dates.
func (p *post) deliver(t testing.TB, n int) {
	t.Helper()
	word := func() string { return words[p.rnd.IntN(len(words))] }
	for range n {
		var b strings.Builder
		for _, field := range []string{"Subject", "From", "To", "Cc", "Message-ID"} {
			switch n := p.rnd.IntN(8); {
			case n == 0:
			case n == 1 && p.long:
				fmt.Fprintf(&b, "%s: %s\r\n", field, strings.Repeat(word()+" ", 500))
			default:
				fmt.Fprintf(&b, "%s: %s %s <%s@example.org>\r\n", field, word(), word(), word())
			}
		}
		if p.rnd.IntN(4) > 0 {
			fmt.Fprintf(&b, "Date: %d Nov 2026 2%d:30:00 -0700\r\n", 1+p.rnd.IntN(9), p.rnd.IntN(4))
		}
		text := b.String() + "\r\nbody\r\n"
		msg := store.NewMessage{Mailbox: p.inbox, Body: strings.NewReader(text), BodySize: int64(len(text))}
		msg.Received = time.Date(2026, 11, 1+p.rnd.IntN(9), p.rnd.IntN(24), 0, 0, 0, time.FixedZone("", (p.rnd.IntN(20)-10)*3600))
		if p.rnd.IntN(2) == 0 {
			msg.Flags = store.Seen
		}
		if _, err := store.AppendMessage(t.Context(), p.st, p.acct, "", msg); err != nil {
			t.Fatal(err)
		}
	}
}

func (p *post) mailbox(t testing.TB) Mailbox {
	t.Helper()
	if _, err := p.view.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	table, err := p.view.Table(t.Context(), p.inbox)
	if err != nil {
		t.Fatal(err)
	}
	return Mailbox{Mailbox: imapmsg.Mailbox{Account: p.acct, ID: p.inbox}, Table: table, Known: table.UIDs()}
}

// factProgram is a random program of what facts decide.
func factProgram(rnd *rand.Rand) (p Program) {
	fields := []EnvelopeField{EnvSubject, EnvFrom, EnvTo, EnvCc, EnvBcc, EnvMessageID}
	for range 1 + rnd.IntN(4) {
		n := Node{Op: OpEnvelope, Field: fields[rnd.IntN(len(fields))], Text: searchtext.Fold(words[rnd.IntN(len(words))])}
		day := time.Date(2026, 11, 1+rnd.IntN(9), 0, 0, 0, 0, time.UTC).Unix()
		switch rnd.IntN(5) {
		case 0:
			n = Node{Op: OpFlag, Flag: store.Seen}
		case 1:
			n = Node{Op: OpSentBefore + Op(rnd.IntN(3)), Num: day}
		case 2:
			n = Node{Op: OpBefore + Op(rnd.IntN(3)), Num: day}
			if rnd.IntN(3) == 0 {
				n = Node{Op: OpOlder + Op(rnd.IntN(2)), Num: time.Now().Unix() - day}
			}
		case 3:
			if rnd.IntN(4) == 0 {
				n.Text = ""
			}
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

// TestKept: what the view keeps changes what is read, never what is found, while
// the mailbox grows and shrinks, with room and without.
func TestKept(t *testing.T) {
	for _, o := range []view.Options{{}, {MaxBytes: 64 << 10}} {
		rnd := rand.New(rand.NewPCG(2, 9))
		p := newPost(t, rnd, o)
		p.long = true
		fresh, kept := 0, 0
		for round := range 300 {
			switch round % 10 {
			case 0:
				p.deliver(t, 1+rnd.IntN(80))
			case 5:
				var gone store.UIDSet
				for uid := range p.mailbox(t).Known.All() {
					if rnd.IntN(4) == 0 {
						gone.Add(uid)
					}
				}
				if _, err := p.acct.Apply(t.Context(), store.Change{Ops: []store.Op{store.Expunge{Mailbox: p.inbox, UIDs: gone}}}); err != nil {
					t.Fatal(err)
				}
			}
			in, program := p.mailbox(t), factProgram(rnd)
			reads := &counted{Account: p.acct}
			in.Account = reads
			second := time.Now().Unix()
			want, err := Find(t.Context(), in, program)
			if err != nil {
				t.Fatal(err)
			}
			fresh += reads.read
			reads.read, in.View = 0, p.view
			got, err := Find(t.Context(), in, program)
			if err != nil {
				t.Fatal(err)
			}
			kept += reads.read
			if !slices.Equal(got, want) && time.Now().Unix() == second { // YOUNGER is of the second
				t.Fatalf("round %d, %+v: found %v, without what is kept %v", round, program, got, want)
			}
		}
		if o.MaxBytes == 0 && kept > fresh*6/10 {
			t.Errorf("%d messages were read, %d without what is kept", kept, fresh)
		}
		t.Logf("read %d, without what is kept %d", kept, fresh)
	}
}

// TestKeptAll: a second search of a field reads nothing, and a third only what
// came since.
func TestKeptAll(t *testing.T) {
	p := newPost(t, rand.New(rand.NewPCG(3, 9)), view.Options{})
	program := Program{{Op: OpEnvelope, Field: EnvMessageID, Text: "nothing"}}
	reads := &counted{Account: p.acct}
	for i, want := range []int{0, 1000, 0, 7} {
		switch i {
		case 1:
			p.deliver(t, 1000)
		case 3:
			p.deliver(t, 7)
		}
		in := p.mailbox(t)
		in.Account, in.View, reads.read = reads, p.view, 0
		if _, err := Find(t.Context(), in, program); err != nil {
			t.Fatal(err)
		}
		if reads.read != want {
			t.Errorf("search %d read %d messages, want %d", i, reads.read, want)
		}
	}
}

// TestKeptBound: what the view is asked is bounded, however long the program,
// and ends with the search.
func TestKeptBound(t *testing.T) {
	p := newPost(t, rand.New(rand.NewPCG(4, 9)), view.Options{})
	p.deliver(t, 100)
	program := Program{{Op: OpEnvelope, Field: EnvSubject, Text: "x0"}}
	for i := 1; i < 1000; i++ {
		n := Node{Op: OpEnvelope, Field: EnvSubject, Text: fmt.Sprint("x", i)}
		if i == 999 {
			n.Field = EnvTo
		}
		program = append(program, n, Node{Op: OpOr, Left: int32(len(program) - 1), Right: int32(len(program))})
	}
	in := p.mailbox(t)
	in.View = p.view
	if _, err := Find(t.Context(), in, program); err != nil {
		t.Fatal(err)
	}
	s := newSearcher(t.Context(), in, program)
	if decided, err := s.askKept(in.Known); err != nil || !decided {
		t.Errorf("%v, %v", decided, err)
	}
	if len(s.hits) != maxAsked || len(s.kept) != 2 {
		t.Errorf("%d leaves were asked about, %d kinds are kept", len(s.hits), len(s.kept))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := newSearcher(ctx, in, program).askKept(in.Known); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that ended: %v", err)
	}
}
