package itest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap/imapserver"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// token is the access token that the doors under test take for alice's.
const token = "eyJ0b2tlbi5vZi5hbGljZQ"

// authority issues the certificates of a test.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	n    int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), n: 1}
	a.cert, a.key = a.issue("ca", &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	return a
}

// issue writes NAME.pem and NAME.key. The first is the authority's own.
func (a *authority) issue(name string, tmpl *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(a.n)
	tmpl.Subject.CommonName = name
	tmpl.NotBefore, tmpl.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	a.n++
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for suffix, block := range map[string]*pem.Block{
		".pem": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(a.path(name+suffix), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) path(file string) string { return filepath.Join(a.dir, file) }

func (a *authority) pair(name string) tls.Certificate {
	a.t.Helper()
	c, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// server issues a certificate for localhost.
func (a *authority) server(name string) {
	a.issue(name, &x509.Certificate{
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
}

// client issues one for a user.
func (a *authority) client(name, email string) {
	a.issue(name, &x509.Certificate{
		EmailAddresses: []string{email}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// users knows alice in every form that a mechanism needs.
type users struct{ record login.Record }

func (u users) Lookup(_ context.Context, name string) (login.Record, error) {
	if name != alice {
		return login.Record{}, login.ErrNoUser
	}
	return u.record, nil
}

// Keeps implements login.Keeper.
func (users) Keeps(string) bool { return true }

func aliceInAllForms(t *testing.T) users {
	t.Helper()
	hash, err := login.HashPassword(login.NewPassword(password), login.Params{})
	if err != nil {
		t.Fatal(err)
	}
	r := login.Record{Account: alice, Hash: hash, Secrets: []string{"{CRAM-MD5}" + saslmech.NewCRAMSecret(password).Reveal()}}
	for _, h := range []saslmech.SCRAMHash{saslmech.SHA1, saslmech.SHA256, saslmech.SHA512} {
		v, err := saslmech.NewVerifier(h, password, 4096)
		if err != nil {
			t.Fatal(err)
		}
		r.Secrets = append(r.Secrets, "{"+h.Mechanism()+"}"+v.String())
	}
	return users{r}
}

// tokens takes one token.
type tokens struct{}

func (tokens) VerifyToken(_ context.Context, text string) (login.Token, error) {
	if text != token {
		return login.Token{}, login.ErrRejected
	}
	return login.Token{Username: alice}, nil
}

// doors are three servers with TLS in front of one login.Service that offers
// every mechanism but ANONYMOUS. smtp, imap and pop3 start TLS by command, smtps, imaps and
// pop3s with the first octet.
type doors struct {
	t     *testing.T
	ca    *authority
	ports map[string]string
	log   *eventLog
}

// eventLog is what the service told.
type eventLog struct {
	mu     sync.Mutex
	events []string // "protocol MECHANISM user", with the reason of a refusal
}

// observe is for login.Service.Observe.
func (d *eventLog) observe(_ context.Context, e login.Event) {
	text := fmt.Sprintf("%s %s %s", e.Protocol, e.Mechanism, e.Username)
	if e.Err != nil {
		text += " refused: " + e.Reason
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, text)
}

// seen forgets the events so far and returns them.
func (d *eventLog) seen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.events
	d.events = nil
	return seen
}

// newDoors opens them; the mechanisms named are left out.
func newDoors(t *testing.T, without ...string) *doors {
	t.Helper()
	d := &doors{t: t, ca: newAuthority(t), ports: map[string]string{}, log: &eventLog{}}
	d.ca.server("server")
	d.ca.client("alice", alice)
	svc := &login.Service{
		Backend: aliceInAllForms(t), Guard: login.Unguarded{}, Tokens: tokens{}, Certificate: login.CertificateEmail,
		Enable: []string{saslmech.Login, saslmech.CRAMMD5, saslmech.SCRAMSHA1}, Disable: without, Observe: d.log.observe, Logger: slog.New(slog.DiscardHandler),
	}
	if err := svc.Validate(); err != nil {
		t.Fatal(err)
	}
	tlsConfig := &tls.Config{
		Certificates: []tls.Certificate{d.ca.pair("server")}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: d.ca.pool(),
	}
	st := memstore.New(nil)
	t.Cleanup(func() { st.Close() })
	if err := st.Create(t.Context(), alice, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	for _, implicit := range []bool{false, true} {
		d.serve(svc, st, tlsConfig, implicit)
	}
	return d
}

// serve opens one listener of each protocol.
func (d *doors) serve(svc *login.Service, st store.Store, tlsConfig *tls.Config, implicit bool) {
	d.t.Helper()
	suffix := ""
	if implicit {
		suffix = "s"
	}
	log := slog.New(slog.DiscardHandler)
	sink := smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	ss := smtpserver.New(smtpserver.Config{
		Receiver: sink, Hostname: "localhost", TLSConfig: tlsConfig, ImplicitTLS: implicit, RequireAuth: true,
		Auth: svc.Authenticator(), Logger: log,
	})
	is, err := imapserver.New(imapserver.Config{Store: st, TLSConfig: tlsConfig, ImplicitTLS: implicit, Auth: svc.Authenticator()})
	if err != nil {
		d.t.Fatal(err)
	}
	ps, err := pop3server.New(pop3server.Config{Store: st, TLSConfig: tlsConfig, ImplicitTLS: implicit, Auth: svc.Authenticator(), Logger: log})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { ss.Close(); is.Close(); ps.Close() })
	for name, serve := range map[string]func(net.Listener) error{
		"smtp": func(l net.Listener) error { return ss.Serve(context.Background(), l) }, "imap": is.Serve, "pop3": ps.Serve,
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			d.t.Fatal(err)
		}
		_, d.ports[name+suffix], _ = net.SplitHostPort(l.Addr().String())
		go serve(l) // ends with the server
	}
}

// knows fails unless somebody logged in by the mechanism since the last call,
// and nobody was refused.
func (d *doors) knows(protocol, mechanism string) {
	d.t.Helper()
	want := protocol + " " + mechanism + " " + alice
	seen := d.log.seen()
	if !slices.Contains(seen, want) || slices.ContainsFunc(seen, func(e string) bool { return strings.Contains(e, "refused") }) {
		d.t.Errorf("the service saw %q, not %q alone", seen, want)
	}
}
