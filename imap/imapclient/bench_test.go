package imapclient_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/store"
)

// benchText is the answer of a server to a FETCH of n messages.
func benchText(n int, item func(i int) string) string {
	var b strings.Builder
	b.WriteString("* PREAUTH [CAPABILITY IMAP4rev1] x\r\n* 10 EXISTS\r\na1 OK [READ-WRITE] done\r\n")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, "* %d FETCH (UID %d FLAGS (\\Seen $Label) RFC822.SIZE 2048%s)\r\n", i, i, item(i))
	}
	b.WriteString("a2 OK done\r\n")
	return b.String()
}

func benchFetch(b *testing.B, o imap.FetchOptions, item func(int) string) {
	const n = 10_000
	text := benchText(n, item)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		d := imapclient.Dialer{TLS: imapclient.TLSNever}
		c, err := d.NewClient(b.Context(), &canned{text: text}, "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Select(b.Context(), "INBOX", imapclient.SelectOptions{}); err != nil {
			b.Fatal(err)
		}
		got := 0
		for m, err := range c.Fetch(b.Context(), store.AllUIDs(), o) {
			if err != nil {
				b.Fatal(err)
			}
			if len(o.Sections) > 0 {
				body, err := m.Body()
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, body); err != nil {
					b.Fatal(err)
				}
			}
			got++
		}
		if got != n {
			b.Fatal(got)
		}
	}
}

// BenchmarkFetchFlags is the FETCH of a synchronization: 10,000 messages.
func BenchmarkFetchFlags(b *testing.B) {
	benchFetch(b, imap.FetchOptions{Items: imap.FetchFlags | imap.FetchSize}, func(int) string { return "" })
}

// BenchmarkFetchBodies is that of a migration: 10,000 messages of 2 KiB.
func BenchmarkFetchBodies(b *testing.B) {
	body := strings.Repeat("0123456789abcdefghijklmnopqrstuvwxyz 0123456789abcdefghijkl\r\n", 34)
	benchFetch(b, imap.FetchOptions{Items: imap.FetchFlags | imap.FetchSize | imap.FetchInternalDate, Sections: []imap.Section{{Peek: true}}},
		func(int) string {
			return fmt.Sprintf(" INTERNALDATE \"17-Jul-1996 02:44:25 +0000\" BODY[] {%d}\r\n%s", len(body), body)
		})
}

// BenchmarkFetchEnvelopes is that of a list of messages.
func BenchmarkFetchEnvelopes(b *testing.B) {
	const envelope = ` ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.example")) ` +
		`(("Terry Gray" NIL "gray" "cac.example")) (("Terry Gray" NIL "gray" "cac.example")) ((NIL NIL "imap" "cac.example")) ` +
		`((NIL NIL "minutes" "cnri.example")("John Klensin" NIL "KLENSIN" "mit.example")) NIL NIL "<B27397-0100000@cac.example>")`
	benchFetch(b, imap.FetchOptions{Items: imap.FetchFlags | imap.FetchSize | imap.FetchEnvelope}, func(int) string { return envelope })
}
