package recipient_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/pop3source"
	"github.com/mailstead/mailstead/deliver/fetch/recipient"
	"github.com/mailstead/mailstead/pop3/pop3client"
	"github.com/mailstead/mailstead/pop3/pop3test"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob/memblob"
	"github.com/mailstead/mailstead/store/memstore"
)

// site is a mail store with accounts.
type site struct {
	t *testing.T
	store.Store
}

func newSite(t *testing.T, users ...string) *site {
	s := &site{t, memstore.New(memblob.New())}
	for _, user := range users {
		id := store.AccountID(user + "@company.example")
		if err := s.Create(t.Context(), id, store.AccountInfo{ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *site) directory() deliver.Directory {
	return &deliver.Accounts{Domains: []string{"company.example"}, Exists: func(ctx context.Context, id store.AccountID) (bool, error) {
		_, err := s.Open(ctx, id)
		return err == nil, nil
	}}
}

func (s *site) local() *deliver.LocalDelivery {
	return &deliver.LocalDelivery{Store: s.Store, Directory: s.directory(), Hostname: "here.company.example"}
}

func (s *site) account(user string) store.Account {
	s.t.Helper()
	acct, err := s.Open(s.t.Context(), store.AccountID(user+"@company.example"))
	if err != nil {
		s.t.Fatal(err)
	}
	return acct
}

// subjects are those of the messages of a user, sorted.
func (s *site) subjects(user, mailbox string) string {
	s.t.Helper()
	acct := s.account(user)
	box, err := store.MailboxByName(s.t.Context(), acct, mailbox)
	if err != nil {
		return ""
	}
	var list []string
	for m, err := range acct.Messages(s.t.Context(), box.ID, store.Query{UIDs: store.AllUIDs()}) {
		if err != nil {
			s.t.Fatal(err)
		}
		c, err := acct.Content(s.t.Context(), box.ID, m.UID)
		if err != nil {
			s.t.Fatal(err)
		}
		text, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
		c.Close()
		if err != nil {
			s.t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(text), "\r\nSubject: ")
		subject, _, _ := strings.Cut(after, "\r\n")
		list = append(list, subject)
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

const received = "Received: from a.partner.example by mx.isp.example with ESMTP; Mon, 2 Nov 2026 10:00:00 +0100\r\n"

func plainLogin(ctx context.Context, _ []string, _ *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error {
	return exchange(ctx, sasl.NewPlainClient("", "catchall", "x"))
}

// TestCollect empties a catch-all mailbox by POP3, while users move.
func TestCollect(t *testing.T) {
	now := newSite(t, "ann", "bob", "eve", "office", "connector")
	old := newSite(t, "bob", "eve")
	var stages recipient.Stages
	if err := stages.Set([]recipient.Stage{{User: "bob@company.example", Place: recipient.PlaceOld}, {User: "eve@company.example", Place: recipient.PlaceBoth}}); err != nil {
		t.Fatal(err)
	}
	resolver, err := recipient.New(recipient.Config{
		Accept: []string{"company.example"}, Own: []string{"catchall@company.example"},
		Directory: now.directory(), Default: []string{"office@company.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := pop3test.NewServer(t, pop3test.Options{})
	add := func(n int, header string) {
		srv.Add(pop3test.Message{Text: header + fmt.Sprintf("Message-ID: <%d@x>\r\nSubject: %d\r\n\r\ntext\r\n", n, n)})
	}
	add(1, "X-Original-To: bob@company.example\r\nDelivered-To: catchall@company.example\r\n"+received+"To: ann@company.example\r\n")
	add(2, received+"Delivered-To: eve@company.example\r\nTo: ann@company.example\r\n") // forged
	add(3, received+"To: ann@company.example, eve@company.example\r\n")
	add(3, received+"To: ann@company.example, eve@company.example\r\n") // the copy of the other
	add(4, "Delivered-To: gone@company.example\r\n"+received+"To: ann@company.example\r\n")
	add(5, received+"To: undisclosed-recipients:;\r\n")
	add(6, "Delivered-To: eve+x@company.example\r\n"+received)

	steps := map[string]int{}
	var live recipient.Live
	live.Set(resolver)
	box := pop3source.Source{Addr: "pop.isp.example:110", Dialer: &pop3client.Dialer{Net: srv, Login: plainLogin}}
	c := &fetch.Collector{
		Sources: []*fetch.Source{{
			Name: "isp", Open: box.Open, Recipients: &live, Target: &recipient.Staged{Stages: &stages, New: now.local(), Old: old.local()},
		}},
		State: &fetch.EntryState{Account: now.account("connector")}, Blobs: now.Blobs(), Hostname: "here.company.example",
		Quarantine: &fetch.Mailbox{Store: now.Store, Account: "connector@company.example"}, Logger: slog.New(slog.DiscardHandler),
		OnEvent: func(e fetch.Event) {
			if e.Kind == fetch.EventFetched {
				steps[e.Step]++
			}
		},
	}
	for range 2 {
		if err := c.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []struct {
		at            *site
		user, mailbox string
		subjects      string
	}{
		{now, "ann", "INBOX", "2 3"},
		{now, "bob", "INBOX", ""},
		{old, "bob", "INBOX", "1"},
		{now, "eve", "INBOX", "3 6"},
		{old, "eve", "INBOX", "3 6"},
		{now, "office", "INBOX", "4 5"},
		{now, "connector", "Quarantine", ""},
	} {
		if got := want.at.subjects(want.user, want.mailbox); got != want.subjects {
			t.Errorf("%s (new: %v) has %q, want %q", want.user, want.at == now, got, want.subjects)
		}
	}
	if want := map[string]int{"x-original-to": 1, "to": 3, "default": 2, "delivered-to": 1}; !maps.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
	if left := srv.Messages(); len(left) != 0 {
		t.Errorf("%d messages left on the server", len(left))
	}
}
