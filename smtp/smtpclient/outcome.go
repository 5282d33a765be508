package smtpclient

import (
	"errors"

	"github.com/mailstead/mailstead/smtp"
)

// Outcome is what became of the message for one recipient. The zero value is
// the one that loses nothing.
type Outcome uint8

// The outcomes.
const (
	// Deferred: nobody has the message; try again later.
	Deferred Outcome = iota

	// Delivered: the server took responsibility (RFC 5321 §6.1).
	Delivered

	// Failed: the server refused for good; trying again is useless.
	Failed

	// Unknown: the connection was lost behind the final dot, and the server
	// may or may not have the message (RFC 1047).
	Unknown
)

// String is the outcome in lower case.
func (o Outcome) String() string {
	switch o {
	case Delivered:
		return "delivered"
	case Failed:
		return "failed"
	case Unknown:
		return "unknown"
	}
	return "deferred"
}

// RcptResult is the outcome for one recipient.
type RcptResult struct {
	Outcome Outcome

	// Command is the command that decided: "MAIL", "RCPT", "DATA", or "." for
	// the end of the body; "" where no reply did.
	Command string

	// Reply is the deciding reply; zero where there was none, and where this
	// side refused (see Err).
	Reply smtp.Reply

	// Err is why there was no reply, or what this side refused; nil where
	// Reply decided.
	Err error
}

// Result is the outcome of one Send.
type Result struct {
	// Recipients has one entry for each recipient of the envelope, in order.
	Recipients []RcptResult

	// QueueID is the id under which the server queued the message, as far as
	// the text of its final reply shows it; "" = not seen. For logs only.
	QueueID string
}

// all sets the outcome of every recipient that has none yet.
func (r *Result) all(open []int, res RcptResult) {
	for _, i := range open {
		r.Recipients[i] = res
	}
}

// byReply is the outcome that a reply means where 2xx would be success.
func byReply(command string, reply smtp.Reply) RcptResult {
	res := RcptResult{Command: command, Reply: reply}
	switch {
	case reply.Permanent():
		res.Outcome = Failed
	case reply.Positive():
		res.Outcome = Delivered
	}
	return res
}

// Errors of a Client.
var (
	// ErrTLSRequired: the Dialer requires TLS and the server does not offer it.
	ErrTLSRequired = errors.New("smtpclient: server does not offer STARTTLS")

	// ErrInjected: octets arrived in plain text behind the 220 to STARTTLS.
	ErrInjected = errors.New("smtpclient: plain text behind STARTTLS")

	// ErrReplyTooLong: a reply exceeds MaxReplyLines or MaxReplyLine.
	ErrReplyTooLong = errors.New("smtpclient: reply too long")

	// ErrBadReply: what the server sent is no reply.
	ErrBadReply = errors.New("smtpclient: malformed reply")

	// ErrUnsupported: the server lacks an extension that the message needs.
	ErrUnsupported = errors.New("smtpclient: extension not offered")

	// ErrClosed: the Client was closed or its connection is in an unknown state.
	ErrClosed = errors.New("smtpclient: connection closed")

	// ErrNoAuth: AUTH, or the mechanism, is not offered.
	ErrNoAuth = errors.New("smtpclient: authentication mechanism not offered")
)
