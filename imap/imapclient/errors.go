package imapclient

import (
	"errors"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapconn"
)

// Errors of the client. A refusal by the server is an *Error. After ErrClosed,
// ErrProtocol, ErrLimit and the end of a context the connection cannot be used
// any more (Client.Err).
var (
	ErrClosed      = imapconn.ErrClosed
	ErrProtocol    = imapconn.ErrProtocol
	ErrLimit       = imapconn.ErrLimit
	ErrTLSRequired = errors.New("imapclient: the server offers no TLS")
	ErrInjected    = errors.New("imapclient: octets in front of the TLS handshake")
	ErrNoAuth      = errors.New("imapclient: mechanism is not offered")
	ErrNotOffered  = errors.New("imapclient: the server does not offer this")
	ErrState       = errors.New("imapclient: not possible in this state") // no mailbox is selected, or nobody is logged in
	ErrBusy        = imapconn.ErrBusy                                     // another call is running
	ErrNoURL       = errors.New("imapclient: the URL gives nothing")
	ErrArgument    = imapcmd.ErrArgument // it has no form in the protocol
)

// Error is a refusal by the server: NO, BAD or BYE.
type Error struct {
	Command  string // "UID FETCH"; "" = the greeting, or unasked
	Response imap.StatusResponse
}

// refused makes the error of a refusal.
func refused(command string, s imap.StatusResponse) error {
	return &Error{Command: command, Response: s}
}

func (e *Error) Error() string {
	if e.Command == "" {
		return "imapclient: " + e.Response.String()
	}
	return "imapclient: " + e.Command + ": " + e.Response.String()
}

// Temporary reports whether the same may succeed later: the server said BYE, or
// NO with a code of RFC 5530 that promises so.
func (e *Error) Temporary() bool {
	if e.Response.Condition == imap.ConditionBye {
		return true
	}
	switch e.Response.Code {
	case imap.CodeUnavailable, imap.CodeInUse, imap.CodeServerBug, imap.CodeLimit, imap.CodeExpungeIssued:
		return e.Response.Condition == imap.ConditionNo
	}
	return false
}

// Code is the response code in an error; "" = none.
func Code(err error) imap.Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Response.Code
	}
	return ""
}
