package imapwire

import (
	"errors"
	"fmt"
)

var (
	// ErrLineTooLong is what a SyntaxError wraps when a command line,
	// literals not counted, is longer than [Config].MaxLine.
	ErrLineTooLong = errors.New("imapwire: line too long")

	// ErrNesting is what a SyntaxError wraps when parentheses are nested
	// deeper than [MaxNesting].
	ErrNesting = errors.New("imapwire: nested too deeply")

	// ErrDesync says that the start of the next command cannot be found
	// within [Config].MaxDiscard octets. The connection must be closed.
	ErrDesync = errors.New("imapwire: command stream is out of step")
)

// SyntaxError says that the peer broke the grammar: a tagged BAD.
type SyntaxError struct {
	// Pos is the octet at which the error was seen: from the start of the
	// slice for a ConsumeX function, from the start of the command without
	// its literals for a Decoder.
	Pos int64

	// Reason is a short English text without any octet of the peer; it may
	// be shown to the peer.
	Reason string

	// Err is the sentinel behind it, or nil.
	Err error
}

// Error returns the reason and the position.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("imapwire: %s at octet %d", e.Reason, e.Pos)
}

// Unwrap returns Err.
func (e *SyntaxError) Unwrap() error { return e.Err }

// Bad is a SyntaxError of a parser that knows no position.
func Bad(reason string) error { return &SyntaxError{Reason: reason} }

// OrBad is err, or else Bad.
func OrBad(err error, reason string) error {
	if err != nil {
		return err
	}
	return Bad(reason)
}

// TooBigError says that a well-formed literal is larger than allowed: a tagged
// NO, with TOOBIG (RFC 4469 §4.2) or LIMIT where that fits.
type TooBigError struct {
	Size  int64 // octets announced
	Limit int64 // octets allowed
}

// Error returns both sizes.
func (e *TooBigError) Error() string {
	return fmt.Sprintf("imapwire: literal of %d octets, %d are allowed", e.Size, e.Limit)
}

func syntax(pos int, reason string) error {
	return &SyntaxError{Pos: int64(pos), Reason: reason}
}
