package smtp

import (
	"crypto/tls"
	"strconv"
	"strings"
	"time"
)

// AppendReceived appends the Received field of this hop for m, with its final
// CRLF (RFC 5321 §4.4). host is the name of this host. A "for" clause stands
// only where rs is one recipient, so that no recipient learns of another
// (RFC 5321 §7.2). Mail without a Peer starts here and has no "from" clause.
//
//	Received: from HELO (NAME [192.0.2.1])
//		by HOST with ESMTPS id ID
//		for <user@example.org>
//		tls TLS_AES_128_GCM_SHA256 (TLS 1.3);
//		Mon, 02 Jan 2006 15:04:05 -0700
func AppendReceived(dst []byte, m *Mail, host string, rs []*Recipient) []byte {
	dst = append(dst, "Received: "...)
	if p := m.Peer; p != nil {
		dst = appendFrom(dst, p)
	}
	dst = append(append(dst, "by "...), host...)
	if m.Peer != nil && m.Peer.Protocol != "" {
		dst = append(append(dst, " with "...), WithProtocol(m.Peer.Protocol, m.Params.UTF8)...)
	}
	dst = append(append(dst, " id "...), m.ID...)
	if len(rs) == 1 && (m.Params.UTF8 || !rs[0].ForwardPath.NeedsUTF8()) {
		dst = append(append(append(dst, "\r\n\tfor <"...), rs[0].ForwardPath.String()...), '>')
	}
	if p := m.Peer; p != nil && p.TLS != nil { // RFC 8314 §4.3, behind "for" as the grammar wants it
		dst = append(append(dst, "\r\n\ttls "...), tls.CipherSuiteName(p.TLS.CipherSuite)...)
		dst = append(append(append(dst, " ("...), tls.VersionName(p.TLS.Version)...), ')')
	}
	if p := m.Params.Priority; p.Given { // RFC 6710 §7
		dst = strconv.AppendInt(append(dst, "\r\n\tpriority "...), int64(p.Level), 10)
	}
	when := m.Received
	if when.IsZero() {
		when = time.Now()
	}
	dst = append(dst, ";\r\n\t"...)
	dst = when.AppendFormat(dst, "Mon, 02 Jan 2006 15:04:05 -0700")
	return append(dst, '\r', '\n')
}

// appendFrom: From-domain = "FROM" FWS Extended-Domain. What the peer said is
// kept where it is a domain or a literal, else the field says so with the
// address alone.
func appendFrom(dst []byte, p *Peer) []byte {
	hello := p.Hello
	n, err := consumeDomain([]byte(hello), true)
	if err != nil || n != len(hello) {
		hello = "unknown"
	}
	dst = append(append(dst, "from "...), hello...)
	if addr := p.Addr.Addr(); addr.IsValid() {
		dst = append(dst, " ("...)
		if isDomainName(p.Name) {
			dst = append(append(dst, p.Name...), ' ')
		}
		dst = append(dst, '[')
		if addr = addr.Unmap(); addr.Is6() {
			dst = append(dst, "IPv6:"...)
		}
		dst = append(addr.WithZone("").AppendTo(dst), "])"...)
	}
	return append(dst, "\r\n\t"...)
}

// isDomainName reports a domain that is no literal.
func isDomainName(s string) bool {
	n, err := consumeDomain([]byte(s), false)
	return err == nil && n == len(s) && s[0] != '['
}

// WithProtocol is the "with" word of the Received field: protocol
// (Peer.Protocol), or its form for a transaction with SMTPUTF8 (RFC 6531
// §4.3): ESMTPSA becomes UTF8SMTPSA, LMTP becomes UTF8LMTP.
func WithProtocol(protocol string, utf8 bool) string {
	if !utf8 {
		return protocol
	}
	if rest, ok := strings.CutPrefix(protocol, "ESMTP"); ok {
		return "UTF8SMTP" + rest
	}
	if strings.HasPrefix(protocol, "LMTP") {
		return "UTF8" + protocol
	}
	return protocol
}
