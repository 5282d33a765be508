package main

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/smtp"
)

// checkDKIM reads the keys of -dkim. What is in their files is never shown.
func (o *options) checkDKIM() error {
	for _, v := range o.dkim {
		if v == "off" {
			continue
		}
		key, err := program.DKIMKey(v)
		if err != nil {
			return fmt.Errorf("-dkim: %w", err)
		}
		o.keys = append(o.keys, key)
	}
	return nil
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

// signerOf signs with these keys.
func signerOf(keys []dkim.Key) *dkim.Signer { return &dkim.Signer{Keys: keys} }
