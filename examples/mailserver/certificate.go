package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/daemon"
	"github.com/mailstead/mailstead/examples/internal/program"
)

// certificate is the key pair of all listeners.
type certificate struct{ *daemon.KeyPair }

// newCertificate loads the files of the options or, without them, a
// self-signed pair in the data directory, which it makes when missing.
func newCertificate(o *options, log *slog.Logger) (certificate, error) {
	certFile, keyFile := o.tlsCert, o.tlsKey
	if certFile == "" {
		certFile, keyFile = filepath.Join(o.data, "cert.pem"), filepath.Join(o.data, "key.pem")
		if _, err := os.Stat(certFile); errors.Is(err, fs.ErrNotExist) {
			if err := program.SelfSign(certFile, keyFile, o.hostname); err != nil {
				return certificate{}, err
			}
		}
	}
	pair, err := daemon.LoadKeyPair(certFile, keyFile, log)
	if err != nil && o.tlsCert != "" {
		err = fmt.Errorf("-tls-cert, -tls-key: %w", err)
	}
	return certificate{pair}, err
}

// config is the TLS configuration of the listeners. tickets says whether
// sessions may be resumed by ticket.
func (c certificate) config(tickets bool) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: !tickets,
		GetCertificate:         c.GetCertificate,
	}
}
