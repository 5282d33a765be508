package smtppolicy

import (
	"context"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/auth/authres"
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
// (RFC 8601 §5; see authres.Claims).
func StripForged(authservID string) Edit {
	return func(_ context.Context, _ *smtp.Mail, h *Header) error {
		h.Remove(func(name, value string) bool {
			switch name {
			case "return-path":
				return true
			case "authentication-results":
				return authres.Claims(value, authservID)
			}
			return false
		})
		return nil
	}
}

// Submission completes what a submitting client left out (RFC 6409 §8): Date,
// Message-ID at hostname, and From where there is none and the reverse-path is
// not null. Package deliver/submission has the other fixes of that RFC.
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
