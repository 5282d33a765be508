package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/mailstead/mailstead/daemon"
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
			if err := selfSign(certFile, keyFile, o.hostname); err != nil {
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

// selfSign makes a certificate for loopback and host, good for ten years. The
// key is written first: a crash between leaves no certificate without one.
func selfSign(certFile, keyFile, host string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{host, "localhost", "127.0.0.1"}, // the last for clients that compare names only (isync)
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})); err != nil {
		return err
	}
	return writeFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
