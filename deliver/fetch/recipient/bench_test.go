package recipient

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// BenchmarkFind is a header of 4 KB, of which the envelope decides, or To does.
func BenchmarkFind(b *testing.B) {
	r, err := New(Config{
		Accept: []string{"company.example"}, Own: []string{"catchall@company.example"},
		Rules: []Rule{{Field: "List-Id", Match: "news.lists.example", To: []string{"news@company.example"}}},
	})
	if err != nil {
		b.Fatal(err)
	}
	rest := "Received: from mail.partner.example (mail.partner.example [192.0.2.1])\r\n\tby mx.isp.example (Postfix) with ESMTPS id 4F1;\r\n\tMon, 2 Nov 2026 10:00:00 +0100\r\n" +
		"DKIM-Signature: v=1; b=" + strings.Repeat("\r\n\tabcdefghijklmnopqrstuvwxyz0123456789", 80) + "\r\n" +
		"From: Ann <ann@partner.example>\r\nTo: Bob <bob@company.example>, carl@partner.example\r\nSubject: x\r\nMessage-ID: <1@partner.example>\r\n"
	for name, header := range map[string]string{
		"envelope": "Return-Path: <ann@partner.example>\r\nDelivered-To: bob@company.example\r\n" + rest,
		"to":       rest,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got, err := r.Find(b.Context(), []byte(header)); err != nil || len(got.Recipients) != 1 {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// BenchmarkTable is a table of 100,000 addresses.
func BenchmarkTable(b *testing.B) {
	rows := []Row{{"old.example", "company.example"}}
	for i := range 100_000 {
		rows = append(rows, Row{fmt.Sprintf("user%d@isp.example", i), fmt.Sprintf("u%d@company.example", i)})
	}
	table, err := NewTable(rows, "")
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range map[string]smtp.Path{
		"address": {Local: "User4711", Domain: "isp.example"},
		"tag":     {Local: "user4711+x", Domain: "isp.example"},
		"domain":  {Local: "bob", Domain: "Old.example"},
		"none":    {Local: "bob", Domain: "elsewhere.example"},
		"idn":     {Local: "bob", Domain: "xn--bcher-kva.example"},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := table.Map(b.Context(), p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
