package pop3client

import (
	"errors"

	"github.com/mailstead/mailstead/pop3"
)

// What this side finds out. What the server says is an *Error.
var (
	// ErrClosed: the connection cannot be used any more. It comes with the
	// reason.
	ErrClosed = errors.New("pop3client: connection closed")

	// ErrBusy: a message or a listing is still being read.
	ErrBusy = errors.New("pop3client: another command is not finished")

	// ErrUnknown: the connection was lost after QUIT had left. Whether the
	// messages marked as deleted are gone is not known.
	ErrUnknown = errors.New("pop3client: no answer to QUIT; the deletions may have been made or not")

	// ErrBadReply: the server sent something that is no reply to the command.
	ErrBadReply = errors.New("pop3client: malformed reply")

	// ErrUnasked: the server sent something that no command asked for. Which
	// reply belongs to which command is not known any more.
	ErrUnasked = errors.New("pop3client: a reply that no command asked for")

	// ErrReplyTooLong: a line of a reply exceeds Dialer.MaxReplyLine.
	ErrReplyTooLong = errors.New("pop3client: reply line too long")

	// ErrListing: a listing exceeds Dialer.MaxMessages or Dialer.MaxListing.
	ErrListing = errors.New("pop3client: listing too long")

	// ErrMessageTooLarge: a message exceeds Dialer.MaxMessage.
	ErrMessageTooLarge = errors.New("pop3client: message too large")

	// ErrAbandoned: the rest of a body was too long to be skipped when it was
	// closed, and the connection was closed instead.
	ErrAbandoned = errors.New("pop3client: body closed before its end")

	// ErrCommand: an argument holds CR, LF or NUL, or what the command cannot
	// say.
	ErrCommand = errors.New("pop3client: malformed command")

	// ErrNeedsUTF8: a name or password is not ASCII, and the server does not
	// take UTF-8 in USER and PASS, or it is for APOP (RFC 6856 §2.2).
	ErrNeedsUTF8 = errors.New("pop3client: the server takes no UTF-8 in names and passwords")

	// ErrTLSRequired: the server does not offer STLS.
	ErrTLSRequired = errors.New("pop3client: the server does not offer TLS")

	// ErrInjected: there was plain text behind the reply to STLS.
	ErrInjected = errors.New("pop3client: data injected behind STLS")

	// ErrNoAuth: the server does not offer the mechanism or APOP, or the login
	// cannot be said by USER and PASS.
	ErrNoAuth = errors.New("pop3client: no usable authentication is offered")
)

// Error is a refusal by the server: a reply of -ERR. errors.Is finds its
// response code: errors.Is(err, pop3.CodeInUse) holds for [IN-USE] and what
// stands below it.
type Error struct {
	// Verb is that of the command, in upper case; "" = the greeting.
	Verb string
	// Reply is what the server said. What was sent as a password does not stand
	// in it, should the server have repeated it.
	Reply pop3.Reply

	login bool // the command was to log in
	coded bool // the server announces AUTH-RESP-CODE
}

func (e *Error) Error() string {
	what := e.Verb
	if what == "" {
		what = "greeting"
	}
	return "pop3: " + what + ": " + e.Reply.String()
}

// Is finds the response code.
func (e *Error) Is(target error) bool {
	code, ok := target.(pop3.ResponseCode)
	return ok && e.Reply.Code.Within(code)
}

// BadCredentials reports whether the server refused a login because of the name
// or the password: it says [AUTH], or it refuses a login and has no way to say
// why. Trying again does not help, and may lock the user out.
func (e *Error) BadCredentials() bool {
	if e.Reply.Code.Within(pop3.CodeAuth) {
		return true
	}
	return e.login && !e.coded && e.Reply.Code == ""
}

// Temporary reports whether the same may succeed later: [IN-USE],
// [LOGIN-DELAY] and [SYS/TEMP], a login refused by a server that says [AUTH]
// where it is because of the credentials (RFC 3206 §6), and a greeting that
// does not say [SYS/PERM].
func (e *Error) Temporary() bool {
	code := e.Reply.Code
	switch {
	case code.Within(pop3.CodeInUse), code.Within(pop3.CodeLoginDelay), code.Within(pop3.CodeSysTemp):
		return true
	case code.Within(pop3.CodeSysPerm), code.Within(pop3.CodeAuth):
		return false
	case e.Verb == "":
		return true
	}
	return e.login && e.coded
}

// TLSError is the error of a TLS handshake, of a server that offers STLS and
// refuses it, or of a connection that is lost in between.
type TLSError struct {
	Err error // never nil
}

func (e *TLSError) Error() string { return "TLS: " + e.Err.Error() }
func (e *TLSError) Unwrap() error { return e.Err }
