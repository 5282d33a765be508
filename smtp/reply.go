package smtp

import (
	"errors"
	"fmt"
	"strings"
)

// EnhancedCode is an enhanced status code class.subject.detail (RFC 3463,
// RFC 2034). The zero value means "none".
type EnhancedCode struct{ Class, Subject, Detail uint16 }

// IsZero reports whether there is no enhanced status code.
func (c EnhancedCode) IsZero() bool { return c == EnhancedCode{} }

// String is the code as it stands in a reply, "5.1.1"; "" for the zero value.
func (c EnhancedCode) String() string {
	if c.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", c.Class, c.Subject, c.Detail)
}

// Reply is one SMTP reply (RFC 5321 §4.2). The zero value means "no reply
// chosen".
type Reply struct {
	// Code is the three-digit reply code, 200..599; zero means none.
	Code int

	// Enhanced stands in front of every line of the reply when the peer was
	// told of ENHANCEDSTATUSCODES (RFC 2034 §4).
	Enhanced EnhancedCode

	// Lines is the text, one entry a line, without line ends. A CR, LF or
	// NUL inside is replaced before it is sent, over-long lines are split.
	// Empty means a text that fits the code.
	Lines []string
}

// NewReply makes a reply of one line.
func NewReply(code int, enhanced EnhancedCode, text string) Reply {
	return Reply{Code: code, Enhanced: enhanced, Lines: []string{text}}
}

// IsZero reports whether no reply was chosen.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Positive reports a 2xx reply.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Temporary reports a 4xx reply: the client should try again (RFC 5321 §4.2.1).
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent reports a 5xx reply.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// String is the reply in one line, for logs and DSN diagnostics.
func (r Reply) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d", r.Code)
	if !r.Enhanced.IsZero() {
		b.WriteString(" " + r.Enhanced.String())
	}
	for _, l := range r.Lines {
		b.WriteString(" " + l)
	}
	return b.String()
}

// Error is a refusal with the reply that the peer gets. Reply is for the
// peer, Err for the log: Err's text is never sent. An error that is no *Error
// leaves a server as 451 4.3.0 with a log id.
type Error struct {
	Reply Reply // sent to the peer
	Err   error // the cause, for logs only; may be nil
}

// Errorf makes a refusal without an inner cause; text is sent to the peer.
func Errorf(code int, enhanced EnhancedCode, format string, args ...any) *Error {
	return &Error{Reply: NewReply(code, enhanced, fmt.Sprintf(format, args...))}
}

// Error is the reply and the cause, for logs.
func (e *Error) Error() string {
	if e.Err == nil {
		return "smtp: " + e.Reply.String()
	}
	return "smtp: " + e.Reply.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether trying again later may help.
func (e *Error) Temporary() bool { return !e.Reply.Permanent() }

// ReplyOf is the reply that err leaves as: that of the *Error in its chain,
// else 451 4.3.0. A nil err has the zero Reply.
func ReplyOf(err error) Reply {
	if err == nil {
		return Reply{}
	}
	if e, ok := errors.AsType[*Error](err); ok && !e.Reply.IsZero() {
		return e.Reply
	}
	return localError()
}

// localError is what an error without a Reply leaves as (RFC 5321 §4.2.3).
func localError() Reply {
	return NewReply(451, EnhancedCode{4, 3, 0}, "Requested action aborted: local error in processing")
}

// IsPermanent reports whether err says explicitly that trying again is
// useless: only a *Error with a 5xx reply does.
func IsPermanent(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Reply.Permanent()
}
