package login

import (
	"fmt"
	"log/slog"
)

// redacted is what a Password shows of itself.
const redacted = "[redacted]"

// Password is a password as the client sent it. It cannot be printed: every
// way of formatting, logging or marshalling shows a placeholder instead
// (invariant I4), also where it is a field of something else. The zero value
// is the empty password, which is always refused.
type Password struct {
	// A pointer, because fmt prints unexported fields by reflection without
	// asking their methods; it shows an address then.
	text *string
}

// NewPassword wraps text.
func NewPassword(text string) Password { return Password{text: &text} }

// Reveal returns the text. It is for those who check the password.
func (p Password) Reveal() string {
	if p.text == nil {
		return ""
	}
	return *p.text
}

// String returns a placeholder.
func (p Password) String() string { return redacted }

// GoString returns a placeholder.
func (p Password) GoString() string { return redacted }

// Format writes a placeholder for every verb.
func (p Password) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns a placeholder.
func (p Password) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns a placeholder, also for encoding/json.
func (p Password) MarshalText() ([]byte, error) { return []byte(redacted), nil }
