package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/smtp"
)

// checkDKIM reads the keys of -dkim. What is in their files is never shown.
func (o *options) checkDKIM() error {
	for _, v := range o.dkim {
		if v == "off" {
			continue
		}
		key, err := dkimKey(v)
		if err != nil {
			return err
		}
		o.keys = append(o.keys, key)
	}
	return nil
}

// dkimKey reads DOMAIN:SELECTOR:KEYFILE.
func dkimKey(v string) (dkim.Key, error) {
	part := strings.SplitN(v, ":", 3)
	if len(part) != 3 || part[0] == "" || part[1] == "" || part[2] == "" {
		return dkim.Key{}, fmt.Errorf("-dkim: %q is not DOMAIN:SELECTOR:KEYFILE", v)
	}
	text, err := os.ReadFile(part[2])
	if err != nil {
		return dkim.Key{}, fmt.Errorf("-dkim: %w", err)
	}
	signer, err := dkim.ParsePrivateKey(text)
	if err != nil {
		return dkim.Key{}, fmt.Errorf("-dkim: %s: %w", part[2], err)
	}
	key := dkim.Key{Domain: part[0], Selector: part[1], Signer: signer}
	if _, err := (&dkim.Signer{Keys: []dkim.Key{key}}).Start(); err != nil {
		return dkim.Key{}, fmt.Errorf("-dkim: %s: %w", part[2], err)
	}
	return key, nil
}

// sign signs what users submit with the keys for the domain in From.
func (s *server) sign() smtp.Middleware {
	if len(s.o.keys) == 0 {
		return func(next smtp.Receiver) smtp.Receiver { return next }
	}
	signer := &auth.Signer{Keys: auth.KeysOf(s.o.keys), Unsigned: func(_ context.Context, m *smtp.Mail, err error) {
		s.log.Warn("message not signed", "id", m.ID, "error", err)
	}}
	return signer.Middleware()
}
