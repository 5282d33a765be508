package imapthread

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// TestFields: what of a header is the id, the references and the reply.
func TestFields(t *testing.T) {
	for _, tt := range []struct{ header, want string }{
		{"", `"" [] false`},
		{"Message-ID: <a@b>\r\nReferences: <x@y>\r\n <z@y>\r\n", `"a@b" [x@y z@y] false`},
		{"message-id: <\"01\"@b>\r\nSubject: Re: [x] y\r\n", `"01@b" [] true`},
		{"In-Reply-To: <p@q> <r@s>\r\n", `"" [p@q] false`},
		{"In-Reply-To: your message of Monday\r\nReferences: none\r\n", `"" [] false`},
		{"References: none at all\r\nIn-Reply-To: Ann's <p@q>\r\n", `"" [p@q] false`},
		{"References:\r\nIn-Reply-To: <p@q>\r\n", `"" [p@q] false`},
		{"References: <p@q>\r\nIn-Reply-To: <r@s>\r\nReferences: <t@u>\r\n", `"" [p@q] false`},
		{"Subject: =?utf-8?q?Fwd=3A?= x\r\nMessage-ID: <a@b> <c@d>\r\n", `"a@b" [] true`},
		{"Subject: x (fwd)\r\nMessage-ID: a@b\r\n", `"a@b" [] true`},
		{"Message-ID: <A@b> (x)\r\nReferences: <a@b\r\n <c@d>\r\n", `"A@b" [c@d] false`},
	} {
		r := &reader{t: New(References)}
		var m Message
		r.fields(&m, []byte(tt.header+"\r\n"))
		refs := []string{}
		for id := range m.References {
			refs = append(refs, string(id))
		}
		if got := fmt.Sprintf("%q %v %v", m.ID, refs, m.Reply); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.header, got, tt.want)
		}
	}
	r := &reader{t: New(References)}
	var m Message
	r.fields(&m, []byte("References: "+strings.Repeat("<a@b> ", 5000)+"<z@y>\r\n"))
	n, last := 0, ""
	for id := range m.References {
		n, last = n+1, string(id)
	}
	if n != maxReferences || last != "z@y" {
		t.Errorf("%d references, the last %q", n, last)
	}
}

// FuzzFields: no header is too broken.
func FuzzFields(f *testing.F) {
	f.Add("Message-ID: <a@b>\r\nReferences: <x@y>\r\n\r\n")
	r := &reader{t: New(References)}
	f.Fuzz(func(t *testing.T, header string) {
		var m Message
		r.fields(&m, []byte(header))
		for id := range m.References {
			if len(id) == 0 {
				t.Fatal("an empty id")
			}
		}
	})
}

func TestRead(t *testing.T) {
	st := memstore.New(nil)
	defer st.Close()
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
	for i, text := range []string{
		"Message-ID: <a@b>\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\nSubject: x\r\n\r\n",
		"Message-ID: <c@b>\r\nDate: Mon, 2 Jan 2006 15:04:05 -0200\r\nReferences: <a@b>\r\nSubject: Re: x\r\n\r\n",
		"Message-ID: <d@b>\r\nDate: Mon, 2 Jan 2006 15:04:05 -0100\r\nIn-Reply-To: <a@b>\r\nSubject: Re: x\r\n\r\n",
	} {
		msg := store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(text), BodySize: int64(len(text))}
		if i == 1 {
			msg.Prefix = []byte("Return-Path: <>\r\nReferences: <z@z>\r\n") // no field of the message
		}
		if _, err := store.AppendMessage(t.Context(), st, a, "", msg); err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	in := Source{
		Mailbox:  imapmsg.Mailbox{Account: a, ID: inbox.ID},
		Progress: func(done, total int64) error { calls++; return nil },
	}
	for algorithm, want := range map[Algorithm]string{References: "(1 (3)(2))", OrderedSubject: "(1 (3)(2))"} {
		th, err := Read(t.Context(), in, store.UIDs(1, 2, 3, 9), algorithm)
		if err != nil || th.Len() != 1 {
			t.Fatalf("%v, %v", th, err)
		}
		if got := string(th.Append(nil, 0, func(u store.UID) uint32 { return uint32(u) })); got != want {
			t.Errorf("%d: %s, want %s", algorithm, got, want)
		}
	}
	if calls != 6 {
		t.Errorf("%d calls of Progress", calls)
	}
	if th, err := Read(t.Context(), in, nil, References); err != nil || th.Len() != 0 {
		t.Errorf("of nothing: %v, %v", th, err)
	}
}
