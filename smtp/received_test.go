package smtp

import (
	"crypto/tls"
	"net/netip"
	"testing"
	"time"
)

// RFC 5321 §4.4: From-domain By-domain [Via] [With] [ID] [For]
// [Additional-Registered-Clauses] ";" date-time, in this order.
func TestReceivedClauses(t *testing.T) {
	peer := func(change func(*Peer)) *Peer {
		p := &Peer{Hello: "client.example", Protocol: "ESMTP", Addr: netip.MustParseAddrPort("192.0.2.1:25")}
		change(p)
		return p
	}
	const date = ";\r\n\tFri, 02 Jan 2026 03:04:05 +0000\r\n"
	const from = "Received: from client.example ([192.0.2.1])\r\n\t"
	state := &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
	tests := []struct {
		name string
		mail Mail
		to   []string
		want string
	}{
		{"plain", Mail{Peer: peer(func(*Peer) {})}, []string{"a@b"}, from + "by mx.example with ESMTP id ID1\r\n\tfor <a@b>" + date},
		{
			"tls stands behind for",
			Mail{Peer: peer(func(p *Peer) { p.TLS, p.Protocol = state, "ESMTPS" })},
			[]string{"a@b"},
			from + "by mx.example with ESMTPS id ID1\r\n\tfor <a@b>\r\n\ttls TLS_AES_128_GCM_SHA256 (TLS 1.3)" + date,
		},
		{
			"the confirmed name",
			Mail{Peer: peer(func(p *Peer) { p.Name = "mail.client.example" })},
			nil,
			"Received: from client.example (mail.client.example [192.0.2.1])\r\n\tby mx.example with ESMTP id ID1" + date,
		},
		{"no name", Mail{Peer: peer(func(p *Peer) { p.Name = "x) by evil (" })}, nil, from + "by mx.example with ESMTP id ID1" + date},
		{"a literal is no name", Mail{Peer: peer(func(p *Peer) { p.Name = "[192.0.2.9]" })}, nil, from + "by mx.example with ESMTP id ID1" + date},
		{
			"a literal in EHLO",
			Mail{Peer: peer(func(p *Peer) { p.Hello = "[192.0.2.7]" })},
			nil,
			"Received: from [192.0.2.7] ([192.0.2.1])\r\n\tby mx.example with ESMTP id ID1" + date,
		},
		{"no protocol", Mail{Peer: peer(func(p *Peer) { p.Protocol = "" })}, nil, from + "by mx.example id ID1" + date},
		{"a Unix socket", Mail{Peer: &Peer{Hello: "localhost", Protocol: "LMTP"}}, nil, "Received: from localhost\r\n\tby mx.example with LMTP id ID1" + date},
		{"mail that starts here", Mail{}, []string{"a@b"}, "Received: by mx.example id ID1\r\n\tfor <a@b>" + date},
		{
			"UTF-8",
			Mail{Params: MailParams{UTF8: true}, Peer: peer(func(p *Peer) { p.Protocol = "ESMTPSA" })},
			[]string{"ü@b"},
			from + "by mx.example with UTF8SMTPSA id ID1\r\n\tfor <ü@b>" + date,
		},
		{"no UTF-8 without SMTPUTF8", Mail{Peer: peer(func(*Peer) {})}, []string{"ü@b"}, from + "by mx.example with ESMTP id ID1" + date},
		{
			"priority",
			Mail{Params: MailParams{Priority: Priority{Level: -3, Given: true}}, Peer: peer(func(*Peer) {})},
			[]string{"a@b"},
			from + "by mx.example with ESMTP id ID1\r\n\tfor <a@b>\r\n\tpriority -3" + date,
		},
		{"quoted", Mail{Peer: peer(func(*Peer) {})}, []string{`"a> b"@b`}, from + "by mx.example with ESMTP id ID1\r\n\tfor <\"a> b\"@b>" + date},
	}
	for _, test := range tests {
		test.mail.ID, test.mail.Received = "ID1", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		if got := string(AppendReceived(nil, &test.mail, "mx.example", rcpts(t, test.to...))); got != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
	}
}

// The registry of "with" protocol types (RFC 3848 §2, RFC 6531 §4.3) has these
// words and no others of ours.
func TestWithProtocol(t *testing.T) {
	for protocol, utf8 := range map[string]string{
		"SMTP": "SMTP", "ESMTP": "UTF8SMTP", "ESMTPA": "UTF8SMTPA", "ESMTPS": "UTF8SMTPS", "ESMTPSA": "UTF8SMTPSA",
		"LMTP": "UTF8LMTP", "LMTPA": "UTF8LMTPA", "LMTPS": "UTF8LMTPS", "LMTPSA": "UTF8LMTPSA",
	} {
		if got := WithProtocol(protocol, false); got != protocol {
			t.Errorf("%s became %s", protocol, got)
		}
		if got := WithProtocol(protocol, true); got != utf8 {
			t.Errorf("%s became %s with SMTPUTF8, want %s", protocol, got, utf8)
		}
	}
}
