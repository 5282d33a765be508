package filelogin

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth/login"
)

// The eighth field of a line has what says more about a user, as Dovecot's
// passwd-file: words of the form name or name=value with spaces between. The
// fields before it (uid, gid, gecos, home, shell) mean nothing here.
const (
	extraIndex    = 6 // colons of the rest in front of it
	extraNoLogin  = "nologin"
	extraNoAuth   = "noauthenticate"
	extraUser     = "user"
	extraUserdb   = "userdb_user"
	extraNets     = "allow_nets"
	extraSecret   = "secret"             // ours
	extraAppsOnly = "app_passwords_only" // ours
)

// passwdExtra is what the extra fields of a line say.
type passwdExtra struct {
	nologin  bool
	account  string // canonical; "" as the user
	nets     []netip.Prefix
	secrets  []string
	appsOnly bool
}

// parseExtra reads the fields after the hash.
func parseExtra(rest string) (x passwdExtra, err error) {
	_, words := splitExtra(rest)
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case extraNoLogin, extraNoAuth:
			x.nologin = x.nologin || !isNo(value)
		case extraAppsOnly:
			x.appsOnly = !isNo(value)
		case extraUser, extraUserdb:
			x.account, err = login.Canonical(value)
		case extraNets:
			x.nets, err = login.ParseNets(value)
		case extraSecret:
			x.secrets = append(x.secrets, value)
			err = login.CheckHash(value)
		}
		if err != nil {
			return x, err
		}
	}
	if len(x.secrets) > login.MaxSecrets {
		return x, fmt.Errorf("%w: more than %d secrets", login.ErrHash, login.MaxSecrets)
	}
	return x, nil
}

func isNo(value string) bool { return strings.EqualFold(value, "no") || value == "0" }

// splitExtra returns the fields before the extra ones, and those as words.
func splitExtra(rest string) (fields string, words []string) {
	at := 0
	for range extraIndex {
		i := strings.IndexByte(rest[at:], ':')
		if i < 0 {
			return rest, nil
		}
		at += i + 1
	}
	return rest[:at-1], strings.FieldsFunc(rest[at:], func(r rune) bool { return r == ' ' || r == '\t' })
}

// withExtra returns rest with these words in the place of those of a name.
func withExtra(rest, name string, words ...string) string {
	fields, old := splitExtra(rest)
	old = slices.DeleteFunc(old, func(word string) bool {
		n, _, _ := strings.Cut(word, "=")
		return n == name
	})
	if words = append(old, words...); len(words) == 0 {
		return strings.TrimRight(fields, ":")
	}
	fields += strings.Repeat(":", extraIndex-1-strings.Count(fields, ":"))
	return fields + ":" + strings.Join(words, " ")
}
