package smtpclient

import (
	"errors"
	"strings"

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

	// Command is the command that decided: "MAIL", "RCPT", "DATA", "BDAT" for
	// a chunk that was not the last, or "." for the end of the body, by DATA or
	// by BDAT; "" where no reply did.
	Command string

	// Reply is the deciding reply; zero where there was none, and where this
	// side refused (see Err).
	Reply smtp.Reply

	// Err is why there was no reply, or what this side refused; nil where
	// Reply decided.
	Err error

	// QueueID is the id under which the server queued the message, as far as
	// the text of its final reply shows it; "" = not seen. For logs only.
	QueueID string
}

// Result is the outcome of one Send.
type Result struct {
	// Recipients has one entry for each recipient of the envelope, in order.
	Recipients []RcptResult

	// QueueID is the first of the recipients' QueueIDs.
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
		res.Outcome, res.QueueID = Delivered, queueID(reply)
	}
	return res
}

// queueID finds the id in texts like "2.0.0 Ok: queued as 4bXyz", "OK id=1abc"
// and "4bXyz Message accepted for delivery"; "" where there is none.
func queueID(r smtp.Reply) string {
	for _, line := range r.Lines {
		lower := strings.ToLower(line)
		for _, mark := range []string{"queued as ", "id="} {
			if i := strings.Index(lower, mark); i >= 0 && len(lower) == len(line) {
				id, _, _ := strings.Cut(line[i+len(mark):], " ")
				return strings.TrimRight(id, ".,;)")
			}
		}
		if id, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(strings.ToLower(rest), "message accepted for delivery") {
			return id
		}
	}
	return ""
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

	// ErrCommand: a command line would hold CR, LF or NUL.
	ErrCommand = errors.New("smtpclient: line end or NUL in a command")

	// ErrUnsolicited: the server sent a reply that no command asked for, so it
	// is not known which reply belongs to which command.
	ErrUnsolicited = errors.New("smtpclient: unsolicited reply")

	// ErrMailLimit: MAILMAX of the server (RFC 9422) is reached.
	ErrMailLimit = errors.New("smtpclient: limit of messages in a session reached")

	// ErrDomainLimit: RCPTDOMAINMAX of the server (RFC 9422) is reached; these
	// recipients need another connection.
	ErrDomainLimit = errors.New("smtpclient: limit of recipient domains in a session reached")

	// ErrNoAuth: AUTH, or the mechanism, is not offered.
	ErrNoAuth = errors.New("smtpclient: authentication mechanism not offered")
)
