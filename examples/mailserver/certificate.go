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
	"sync"
	"time"
)

// certificate serves a key pair from two files and reads them again when they
// change. A pair that cannot be read leaves the last good one in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	pair    *tls.Certificate
	stamp   [2]time.Time
	checked time.Time
}

// recheck is how long a look at the files serves.
const recheck = time.Second

// newCertificate loads the files of the options or, without them, a
// self-signed pair in the data directory, which it makes when missing.
func newCertificate(o *options, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: o.tlsCert, keyFile: o.tlsKey, log: log}
	if c.certFile == "" {
		c.certFile, c.keyFile = filepath.Join(o.data, "cert.pem"), filepath.Join(o.data, "key.pem")
		if _, err := os.Stat(c.certFile); errors.Is(err, fs.ErrNotExist) {
			if err := selfSign(c.certFile, c.keyFile, o.hostname); err != nil {
				return nil, err
			}
		}
	}
	if err := c.load(); err != nil && o.tlsCert != "" {
		return nil, fmt.Errorf("-tls-cert, -tls-key: %w", err)
	} else if err != nil {
		return nil, err
	}
	return c, nil
}

// config is the TLS configuration of the listeners. tickets says whether
// sessions may be resumed by ticket.
func (c *certificate) config(tickets bool) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: !tickets,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.current(), nil
		},
	}
}

func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.checked) > recheck {
		c.checked = now
		if c.stamps() != c.stamp {
			if err := c.loadLocked(); err != nil {
				c.log.Error("cannot reload the certificate; the last one stays in use", "error", err)
			}
		}
	}
	return c.pair
}

func (c *certificate) load() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.loadLocked()
}

func (c *certificate) loadLocked() error {
	stamp := c.stamps()
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}

func (c *certificate) stamps() (s [2]time.Time) {
	for i, f := range [...]string{c.certFile, c.keyFile} {
		if info, err := os.Stat(f); err == nil {
			s[i] = info.ModTime()
		}
	}
	return s
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
