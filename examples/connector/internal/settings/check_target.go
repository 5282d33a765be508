package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/deliver/files"
)

// targetNames are the names that count for each type, apart from type.
var targetNames = map[string]string{
	"store":   "accounts",
	"queue":   "address user password password-env tls tls-name tls-ca tls-insecure reverse-path concurrency",
	"smtp":    "address user password password-env tls tls-name tls-ca tls-insecure reverse-path",
	"lmtp":    "address user password password-env tls tls-name tls-ca tls-insecure reverse-path",
	"maildir": "path",
	"mbox":    "path",
	"program": "command run-as",
}

func (c *checker) target(key string, t *Target) {
	names, known := targetNames[t.Type]
	if !known {
		c.fault(key+".type", "%q is none of store, queue, smtp, lmtp, maildir, mbox, program", t.Type)
		return
	}
	for name, set := range t.given() {
		if set && !hasWord(names, name) {
			c.fault(key+"."+name, "does not go with type %s", t.Type)
		}
	}
	for i, a := range t.Accounts {
		c.mailbox(key+".accounts"+index(i), a)
	}
	switch t.Type {
	case "queue", "smtp", "lmtp":
		c.networkTarget(key, t)
	case "maildir", "mbox":
		if _, err := files.Template(t.Path, ""); err != nil || !strings.HasPrefix(t.Path, "/") {
			c.fault(key+".path", "want a whole path, which may have $user, $domain and so on")
		}
		if strings.HasSuffix(t.Path, "/") != (t.Type == "maildir") {
			c.fault(key+".path", "the path of a Maildir ends in /, that of an mbox file does not")
		}
	case "program":
		if len(t.Command) == 0 || !strings.HasPrefix(t.Command[0], "/") {
			c.fault(key+".command", "want the whole path of a program, and its arguments")
		}
		if t.RunAs != "" {
			_, _, err := ParseIDs(t.RunAs)
			c.wrap(key+".run-as", err)
		}
	}
}

// given says which names stand in the file.
func (t *Target) given() map[string]bool {
	return map[string]bool{
		"address": t.Address != "", "user": t.User != "", "password": t.Password != "", "password-env": t.PasswordEnv != "",
		"tls": t.TLS != "", "tls-name": t.TLSName != "", "tls-ca": t.TLSCA != "", "tls-insecure": t.TLSInsecure,
		"reverse-path": t.ReversePath != "", "concurrency": t.Concurrency != 0,
		"accounts": len(t.Accounts) > 0, "path": t.Path != "", "command": len(t.Command) > 0, "run-as": t.RunAs != "",
	}
}

func hasWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

func (c *checker) networkTarget(key string, t *Target) {
	if t.Type != "lmtp" || !strings.HasPrefix(strings.TrimPrefix(t.Address, "unix:"), "/") {
		c.address(key+".address", t.Address)
	}
	if t.TLS != "" {
		c.oneOf(key+".tls", t.TLS, "none", "may", "starttls", "implicit")
	}
	c.file(key+".tls-ca", t.TLSCA)
	hasPassword := t.Password != "" || t.PasswordEnv != ""
	if (t.User != "") != hasPassword {
		c.fault(key+".user", "user and a password need each other")
	}
	if t.ReversePath != "" && t.ReversePath != "<>" {
		c.mailbox(key+".reverse-path", t.ReversePath)
	}
	if t.Concurrency < 0 {
		c.fault(key+".concurrency", "want a number from 1")
	}
}

func (c *checker) oauth(key string, o *OAuth) {
	c.oneOf(key+".provider", o.Provider, "microsoft365", "microsoft365-app", "google", "google-service", "other", "token")
	switch o.Provider {
	case "microsoft365", "google", "other":
		if o.TokenFile == "" && (o.Provider != "other" || o.ClientSecret == "" && o.ClientSecretEnv == "") {
			c.fault(key+".token-file", "missing: the file of the refresh token, which oauthlogin makes")
		}
	case "microsoft365-app":
		if o.ClientSecret == "" && o.ClientSecretEnv == "" {
			c.fault(key+".client-secret", "missing")
		}
	case "google-service":
		c.file(key+".key-file", o.KeyFile)
		if o.KeyFile == "" {
			c.fault(key+".key-file", "missing: the JSON file of the service account")
		}
	case "token":
		if o.TokenFile == "" {
			c.fault(key+".token-file", "missing: a file with an access token, which something else renews")
		}
	}
	if strings.HasPrefix(o.Provider, "microsoft365") && o.Tenant == "" {
		c.fault(key+".tenant", "missing: the domain or id of the directory")
	}
	if o.ClientID == "" && o.Provider != "google-service" && o.Provider != "token" {
		c.fault(key+".client-id", "missing")
	}
	if o.Provider == "other" && o.TokenURL == "" {
		c.fault(key+".token-url", "missing")
	}
}

// ParseFingerprint reads the SHA-256 sum of a certificate in hexadecimal, with
// or without colons.
func ParseFingerprint(text string) (sum [sha256.Size]byte, err error) {
	b, err := hex.DecodeString(strings.ReplaceAll(text, ":", ""))
	if err != nil || len(b) != len(sum) {
		return sum, errors.New("want the SHA-256 fingerprint of a certificate: 64 hexadecimal digits")
	}
	return [sha256.Size]byte(b), nil
}

// ParseIDs reads UID:GID.
func ParseIDs(text string) (uid, gid uint32, err error) {
	u, g, _ := strings.Cut(text, ":")
	a, err1 := strconv.ParseUint(u, 10, 32)
	b, err2 := strconv.ParseUint(g, 10, 32)
	if err1 != nil || err2 != nil {
		return 0, 0, fmt.Errorf("%q is not UID:GID, in numbers", text)
	}
	return uint32(a), uint32(b), nil
}
