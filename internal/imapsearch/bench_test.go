package imapsearch

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapmsg"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/searchtext"
	"github.com/mailstead/mailstead/store/view"
)

// shelf is a mailbox with n copies of a message.
func shelf(b *testing.B, n int, text string) Mailbox {
	b.Helper()
	st := memstore.New(nil)
	if err := st.Create(b.Context(), "alice", store.AccountInfo{}); err != nil {
		b.Fatal(err)
	}
	a, err := st.Open(b.Context(), "alice")
	if err != nil {
		b.Fatal(err)
	}
	inbox, err := store.MailboxByName(b.Context(), a, store.Inbox)
	if err != nil {
		b.Fatal(err)
	}
	op, err := store.PrepareAppend(b.Context(), st, store.NewMessage{Mailbox: inbox.ID, Body: strings.NewReader(text), BodySize: int64(len(text))})
	if err != nil {
		b.Fatal(err)
	}
	for range n {
		op.EmailID = store.NewEmailID()
		if _, err := a.Apply(b.Context(), store.Change{Ops: []store.Op{op}}); err != nil {
			b.Fatal(err)
		}
	}
	views := view.New(st, view.Options{})
	b.Cleanup(func() { views.Close(); st.Close() })
	v, err := views.Open(b.Context(), "alice")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(v.Release)
	t, err := v.Table(b.Context(), inbox.ID)
	if err != nil {
		b.Fatal(err)
	}
	return Mailbox{Mailbox: imapmsg.Mailbox{Account: a, ID: inbox.ID}, View: v, Table: t, Known: t.UIDs()}
}

const benchHeader = "Return-Path: <ann@example.org>\r\nReceived: from mx.example.org (mx.example.org [192.0.2.1])\r\n" +
	"\tby mail.example.net (Mailstead) with ESMTPS id 1234567890\r\n\tfor <bob@example.net>; Mon, 2 Nov 2026 10:00:00 +0000\r\n" +
	"From: Ann Example <ann@example.org>\r\nTo: Bob Example <bob@example.net>, \"Carl\" <carl@example.net>\r\n" +
	"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from the meeting of the board\r\nDate: Mon, 2 Nov 2026 11:00:00 +0100\r\n" +
	"Message-ID: <0123456789abcdef@example.org>\r\nReferences: <a@example.org> <b@example.org>\r\nMIME-Version: 1.0\r\n"

// BenchmarkFind is the cost of one message: of a header and of bodies of 8 KiB,
// none of which has what is looked for.
func BenchmarkFind(b *testing.B) {
	line := "The quick brown fox jumps over the lazy dog, again and again and aga=C3=A4in.\r\n"
	plain := benchHeader + "Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat(line, 100)
	alternative := benchHeader + "Content-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n" +
		"--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(line, 30) +
		"--b1\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat(line, 70) + "--b1--\r\n"
	text := searchtext.Fold("nobody writes this")
	from, subject := Program{{Op: OpEnvelope, Field: EnvFrom, Text: text}}, Program{{Op: OpEnvelope, Field: EnvSubject, Text: text}}
	for _, bb := range []struct {
		name, message string
		program       Program
	}{
		{"from", plain, from},
		{"subject", plain, subject},
		{"subject-kept", plain, subject},
		{"header", plain, Program{{Op: OpHeader, Name: "x-none", Text: text}}},
		{"body-plain", plain, Program{{Op: OpBody, Text: text}}},
		{"body-alternative", alternative, Program{{Op: OpBody, Text: text}}},
		{"text-alternative", alternative, Program{{Op: OpText, Text: text}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			const n = 1000
			in := shelf(b, n, bb.message)
			if !strings.HasSuffix(bb.name, "-kept") {
				in.View = nil
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Find(b.Context(), in, bb.program); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/message")
		})
	}
}
