package smtppolicy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// LoopLimit refuses a message with more than max Received fields, with 554
// 5.4.6 (RFC 5321 §6.3). Zero = 50.
func LoopLimit(max int) Edit {
	if max == 0 {
		max = 50
	}
	return func(_ context.Context, _ *smtp.Mail, h *Header) error {
		if h.Count("Received") > max {
			return smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 6}, "Too many hops, this message is looping")
		}
		return nil
	}
}

// StripForged removes the fields that only this host may write: Return-Path
// (RFC 5321 §4.4), and Authentication-Results that claim to be from authservID
// (RFC 8601 §5).
func StripForged(authservID string) Edit {
	return func(_ context.Context, _ *smtp.Mail, h *Header) error {
		h.Remove(func(name, value string) bool {
			switch name {
			case "return-path":
				return true
			case "authentication-results":
				return strings.EqualFold(claimedID(value), authservID)
			}
			return false
		})
		return nil
	}
}

// claimedID is the authserv-id of an Authentication-Results value, comments
// and quotes in front passed over (RFC 8601 §2.2).
func claimedID(value string) string {
	for depth, i := 0, 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth > 0 || c == ' ' || c == '\t':
		case c == '"':
			return strings.TrimSuffix(unquote(value[i+1:]), ".")
		default:
			id := value[i:]
			if j := strings.IndexAny(id, " \t;(/"); j >= 0 {
				id = id[:j]
			}
			return strings.TrimSuffix(id, ".")
		}
	}
	return ""
}

// unquote is the content of a quoted string, from behind its first quote
// (RFC 5322 §3.2.4).
func unquote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Submission completes what a submitting client left out (RFC 6409 §8): Date,
// Message-ID at hostname, and From where there is none and the reverse-path is
// not null.
func Submission(hostname string) Edit {
	return func(_ context.Context, m *smtp.Mail, h *Header) error {
		if h.Count("Date") == 0 {
			when := m.Received
			if when.IsZero() {
				when = time.Now()
			}
			h.Add("Date: " + when.Format(time.RFC1123Z) + "\r\n")
		}
		if h.Count("Message-ID") == 0 {
			h.Add(fmt.Sprintf("Message-ID: <%s@%s>\r\n", m.ID, hostname))
		}
		if h.Count("From") == 0 && !m.ReversePath.IsNull() {
			h.Add("From: " + m.ReversePath.String() + "\r\n")
		}
		return nil
	}
}
