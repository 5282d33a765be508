package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What the keepers of app passwords meet.
var (
	// ErrAppPassword: an app password cannot be kept: its name is empty, too
	// long, not printable or taken, its hash or a protocol is none, or the user
	// has too many.
	ErrAppPassword = errors.New("login: not an app password")
	// ErrNoAppPassword: the user has no app password of this name.
	ErrNoAppPassword = errors.New("login: no such app password")
)

// Bounds of app passwords.
const (
	maxAppPasswords = 64  // of one user
	maxAppName      = 128 // octets
)

// UsePeriod is how long a recorded use stands for later ones: backends write the
// time of a use down no more often.
const UsePeriod = time.Minute

// AppPasswordEditor is a backend that keeps app passwords. Changes are on stable
// storage when a method returns nil, apart from those of UseAppPassword. All
// other methods return ErrNoUser for a user that they do not know.
type AppPasswordEditor interface {
	Backend
	// AddAppPassword gives the user one more. ErrAppPassword.
	AddAppPassword(ctx context.Context, username string, p AppPassword) error
	// DeleteAppPassword takes one away, which ends its use at once.
	// ErrNoAppPassword.
	DeleteAppPassword(ctx context.Context, username, name string) error
	// UseAppPassword records that one was used. It may keep the time back for
	// a minute. An earlier time than the recorded one changes nothing, nor does
	// a user or an app password that is gone.
	UseAppPassword(ctx context.Context, username, name string, at time.Time) error
	// SetAppPasswordsOnly says whether the user's own password is refused.
	SetAppPasswordsOnly(ctx context.Context, username string, only bool) error
}

// The shape of a machine-made password: 20 characters of an alphabet of 32
// without those that look alike, so 100 bits, in groups of five.
const (
	appAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	appLength   = 20
	appGroup    = 5
)

// CreateAppPassword makes an app password, keeps its hash in b, and returns the
// text, which is shown to the user once and is nowhere else:
// "k3m9x-…", 100 bits, to be typed with or without hyphens and in any case.
// Without protocols it may be used everywhere.
func CreateAppPassword(ctx context.Context, b AppPasswordEditor, username, name string, protocols ...Protocol) (Password, error) {
	text := randomAppPassword()
	p := AppPassword{Name: name, Hash: hashAppPassword(text), Protocols: protocols, Created: time.Now().UTC().Truncate(time.Second)}
	if err := b.AddAppPassword(ctx, username, p); err != nil {
		return Password{}, err
	}
	return NewPassword(text), nil
}

func randomAppPassword() string {
	var octets [appLength]byte
	_, _ = rand.Read(octets[:]) // never fails
	for i, o := range octets {
		octets[i] = appAlphabet[o%32]
	}
	return groupApp(octets[:])
}

// groupApp writes hyphens between the groups.
func groupApp(text []byte) string {
	var b strings.Builder
	for i, c := range text {
		if i > 0 && i%appGroup == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// asAppPassword returns the text as it was shown, where somebody typed one that
// CreateAppPassword made.
func asAppPassword(text string) (string, bool) {
	if len(text) > 4*appLength {
		return "", false
	}
	var plain []byte
	for _, c := range []byte(strings.ToLower(text)) {
		switch {
		case c == ' ' || c == '-':
		case strings.IndexByte(appAlphabet, c) >= 0:
			plain = append(plain, c)
		default:
			return "", false
		}
	}
	return groupApp(plain), len(plain) == appLength
}

// hashAppPassword returns {SSHA256}, which is enough for 100 random bits.
func hashAppPassword(text string) string {
	var salt [16]byte
	_, _ = rand.Read(salt[:])
	sum := sha256.Sum256(append([]byte(text), salt[:]...))
	return "{SSHA256}" + base64.StdEncoding.EncodeToString(append(sum[:], salt[:]...))
}

// check reports with ErrAppPassword why p cannot be kept beside others.
func (p AppPassword) check(others []AppPassword) error {
	switch {
	case p.Name == "" || len(p.Name) > maxAppName || !utf8.ValidString(p.Name) ||
		strings.ContainsFunc(p.Name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: name of 1 to %d printable octets", ErrAppPassword, maxAppName)
	case len(others) >= maxAppPasswords:
		return fmt.Errorf("%w: the user has %d", ErrAppPassword, len(others))
	case slices.ContainsFunc(others, func(o AppPassword) bool { return o.Name == p.Name }):
		return fmt.Errorf("%w: the name is taken", ErrAppPassword)
	case slices.ContainsFunc(p.Protocols, func(x Protocol) bool { return !validProtocol(x) }):
		return fmt.Errorf("%w: protocol", ErrAppPassword)
	}
	if err := CheckHash(p.Hash); err != nil {
		return fmt.Errorf("%w: %w", ErrAppPassword, err)
	}
	return nil
}

// CheckAppPassword is for those who write an AppPasswordEditor: it reports with
// ErrAppPassword why p cannot be kept beside the others of its user.
func CheckAppPassword(p AppPassword, others []AppPassword) error { return p.check(others) }

// validProtocol reports whether p is a word that can be written down.
func validProtocol(p Protocol) bool {
	return p != "" && len(p) <= 16 && !strings.ContainsFunc(string(p), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
}

// serves reports whether p may be used over a protocol.
func (p AppPassword) serves(protocol Protocol) bool {
	return len(p.Protocols) == 0 || slices.Contains(p.Protocols, protocol)
}
