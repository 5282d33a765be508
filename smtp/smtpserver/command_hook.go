package smtpserver

import (
	"context"
	"strings"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// Command is a verb that the application adds. It may stand anywhere but
// between two BDAT of one body, and its reply ends a group (RFC 2920 §3.1).
type Command struct {
	// Verb is its name, in upper-case letters and digits.
	Verb string

	// Keyword is its line in the reply to EHLO; "" = none.
	Keyword string

	// WithoutTLS allows it also before TLS where Config.RequireTLS is set.
	WithoutTLS bool

	// Run answers. arg is what stands behind the verb, without blanks around:
	// printable ASCII. A reply that is none of 2xx, 4xx or 5xx becomes 451;
	// 421 ends the session. It may block; a panic is contained.
	Run func(ctx context.Context, p *smtp.Peer, arg string) smtp.Reply
}

const (
	verbChars    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	profileChars = verbChars + "abcdefghijklmnopqrstuvwxyz-_." // RFC 6710 §7
)

// valid reports a verb that is written well and not taken.
func (c *Command) valid() bool {
	if c.Run == nil || c.Verb == "" || strings.Trim(c.Verb, verbChars) != "" || c.Keyword != "" && !smtpscan.EHLOLine(c.Keyword) {
		return false
	}
	for _, v := range verbTable(nil) {
		if v.name == c.Verb {
			return false
		}
	}
	return true
}

// row is the command's row in the table of verbs.
func (c *Command) row() verb {
	flags := endsGroup
	if c.WithoutTLS {
		flags |= clearOK
	}
	return verb{name: c.Verb, in: noChunks, flags: flags, run: func(s *session, arg []byte) {
		if !smtpscan.Printable(arg) {
			s.refuse(501, smtp.EnhancedCode{Class: 5, Subject: 5, Detail: 4}, "Syntax error in the argument")
			return
		}
		r := s.callCommand(c, string(arg))
		if r.Code/100 != 2 && !r.Temporary() && !r.Permanent() {
			r = localError()
		}
		s.refuseReply(r)
	}}
}
