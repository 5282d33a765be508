package program

import (
	"fmt"
	"os"
	"strings"

	"github.com/mailstead/mailstead/auth/dkim"
)

// DKIMKey reads the key of DOMAIN:SELECTOR:KEYFILE; the file is PEM, with an RSA
// key (PKCS #1 or #8) or an Ed25519 key (PKCS #8). No error shows what is in it.
func DKIMKey(value string) (dkim.Key, error) {
	part := strings.SplitN(value, ":", 3)
	if len(part) != 3 || part[0] == "" || part[1] == "" || part[2] == "" {
		return dkim.Key{}, fmt.Errorf("%q is not DOMAIN:SELECTOR:KEYFILE", value)
	}
	text, err := os.ReadFile(part[2])
	if err != nil {
		return dkim.Key{}, err
	}
	signer, err := dkim.ParsePrivateKey(text)
	if err != nil {
		return dkim.Key{}, fmt.Errorf("%s: %w", part[2], err)
	}
	key := dkim.Key{Domain: part[0], Selector: part[1], Signer: signer}
	if _, err := (&dkim.Signer{Keys: []dkim.Key{key}}).Start(); err != nil {
		return dkim.Key{}, fmt.Errorf("%s: %w", part[2], err)
	}
	return key, nil
}
