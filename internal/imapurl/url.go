package imapurl

import (
	"errors"
	"time"
)

// MaxLength is the longest URL that is looked at.
const MaxLength = 8 << 10

// ErrSyntax says that a text is no IMAP URL.
var ErrSyntax = errors.New("imapurl: not an IMAP URL")

// Form says where a URL starts.
type Form uint8

// The forms of RFC 5092 §7.
const (
	Absolute Form = iota // "imap://server/..."
	Path                 // "/mailbox...", on the server that is known
	Relative             // "/;UID=" or ";UID=...", in the mailbox that is known
)

// URL is an IMAP URL. Its texts are decoded: UTF-8 without percent signs. The
// zero value names nothing.
type URL struct {
	Form Form

	User string // of Absolute; "" = none
	Auth string // the mechanism behind ";AUTH="; "*" = any, "" = none
	Host string // of Absolute: with the port, as it was written

	Mailbox     string // "" = the server itself, or of Relative
	UIDValidity uint32 // 0 = not given
	UID         uint32 // 0 = the mailbox itself
	Section     string // as FETCH has it between the brackets; "" = the whole message
	Search      string // "?search" of a mailbox

	// Partial: Offset and Count of ";PARTIAL="; Count 0 = to the end.
	Partial       bool
	Offset, Count int64

	// Expire is when the authorization ends; zero = never.
	Expire time.Time
	Access Access // of URLAUTH
	// Mechanism and Token verify Rump; "" = it is a rump.
	Mechanism, Token string

	// Rump is the text that Token was made of: up to and with the access. Set
	// by Parse where there is an Access.
	Rump string
}

// AccessKind says who may use a URL (RFC 4467 §3).
type AccessKind uint8

// The kinds of access.
const (
	NoAccess  AccessKind = iota // no URLAUTH
	Submit                      // "submit+user": a submission server, for that user
	User                        // "user+user": that user
	AuthUser                    // "authuser": whoever is logged in
	Anonymous                   // "anonymous": everyone
)

// Access is the authorized access identifier.
type Access struct {
	Kind AccessKind
	User string // of Submit and User
}

// String is the access as a URL has it.
func (a Access) String() string {
	switch a.Kind {
	case Submit:
		return "submit+" + encode(a.User, userChar)
	case User:
		return "user+" + encode(a.User, userChar)
	case AuthUser:
		return "authuser"
	case Anonymous:
		return "anonymous"
	}
	return ""
}
