package mime

import (
	"bytes"
	"math"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// Stand-ins for a side of an address that is missing. NIL is taken: it marks
// groups (RFC 9051 §7.5.2). The words are those that other servers send.
const (
	missingMailbox = "MISSING_MAILBOX"
	missingDomain  = "MISSING_DOMAIN"
)

// AppendEnvelope adds e as the ENVELOPE of RFC 3501 §7.4.2 and RFC 9051 §7.5.2:
// date, subject, from, sender, reply-to, to, cc, bcc, in-reply-to, message-id.
// Absent strings are NIL and empty ones "". Sender and Reply-To default to
// From. Subject and names, which people read, have one space where the message
// has white space of any length. A nil e is an envelope of NILs.
func AppendEnvelope(dst []byte, e *Envelope) []byte {
	if e == nil {
		e = &Envelope{}
	}
	left := math.MaxInt
	return appendEnvelope(dst, e, &left)
}

// appendEnvelope is AppendEnvelope with the number of addresses that may still be
// written, all together.
func appendEnvelope(dst []byte, e *Envelope, left *int) []byte {
	dst = append(dst, '(')
	dst = imapwire.AppendNString(dst, e.Date)
	dst = append(dst, ' ')
	dst = imapwire.AppendNString(dst, oneLine(e.Subject))
	dst = append(dst, ' ')
	from := len(dst)
	dst = appendAddresses(dst, e.From, left)
	end := len(dst)
	for _, list := range [][]byte{e.Sender, e.ReplyTo} {
		dst = append(dst, ' ')
		at := len(dst)
		if dst = appendAddresses(dst, list, left); string(dst[at:]) == "NIL" {
			dst = append(dst[:at], dst[from:end]...)
		}
	}
	for _, list := range [][]byte{e.To, e.Cc, e.Bcc} {
		dst = append(dst, ' ')
		dst = appendAddresses(dst, list, left)
	}
	dst = append(dst, ' ')
	dst = imapwire.AppendNString(dst, e.InReplyTo)
	dst = append(dst, ' ')
	dst = imapwire.AppendNString(dst, e.MessageID)
	return append(dst, ')')
}

// appendAddresses adds "(" 1*address ")", or NIL for a list without any. It
// stops behind MaxAddresses, or where nothing is left.
func appendAddresses(dst, list []byte, left *int) []byte {
	start := len(dst)
	dst = append(dst, '(')
	n := 0
	for a := range Addresses(list) {
		if n++; n > MaxAddresses || *left <= 0 {
			break
		}
		*left--
		dst = appendAddress(dst, a)
	}
	if len(dst) == start+1 {
		return append(dst[:start], "NIL"...)
	}
	return append(dst, ')')
}

// appendAddress adds addr-name, addr-adl, addr-mailbox and addr-host.
func appendAddress(dst []byte, a Address) []byte {
	switch a.Kind {
	case GroupStart:
		dst = append(dst, "(NIL NIL "...)
		dst = imapwire.AppendString(dst, oneLine(a.Name))
		return append(dst, " NIL)"...)
	case GroupEnd:
		return append(dst, "(NIL NIL NIL NIL)"...)
	}
	dst = append(dst, '(')
	dst = imapwire.AppendNString(dst, oneLine(a.Name))
	dst = append(dst, ' ')
	dst = imapwire.AppendNString(dst, a.Route)
	dst = append(dst, ' ')
	dst = appendSide(dst, a.Local, missingMailbox)
	dst = append(dst, ' ')
	dst = appendSide(dst, a.Domain, missingDomain)
	return append(dst, ')')
}

func appendSide(dst, side []byte, missing string) []byte {
	if side == nil {
		return imapwire.AppendQuoted(dst, missing)
	}
	return imapwire.AppendString(dst, side)
}

// oneLine makes one space of each run of white space, and none at the ends. s
// is returned as it is where nothing has to be done.
func oneLine(s []byte) []byte {
	if isOneLine(s) {
		return s
	}
	out := make([]byte, 0, len(s))
	for _, c := range s {
		switch {
		case !isSpace(c):
			out = append(out, c)
		case len(out) > 0 && out[len(out)-1] != ' ':
			out = append(out, ' ')
		}
	}
	return bytes.TrimSuffix(out, []byte{' '})
}

func isOneLine(s []byte) bool {
	space := true
	for _, c := range s {
		if isSpace(c) && (c != ' ' || space) {
			return false
		}
		space = c == ' '
	}
	return len(s) == 0 || !space
}
