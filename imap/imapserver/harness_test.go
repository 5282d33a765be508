package imapserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imaptest"
	"github.com/mailstead/mailstead/internal/authtest"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
	"github.com/mailstead/mailstead/store/searchtext"
)

// testAuth knows the password of every account, and users whose login fails in
// all the ways there are.
func testAuth(_ context.Context, _ *authn.Peer, user, password string) (string, error) {
	switch {
	case user == "slow":
		return "", authn.ErrTooMany
	case user == "down":
		return "", errors.New("database 10.1.2.3 refused the connection")
	case user == "panic":
		panic("a backend panics")
	case password != "secret":
		return "", authn.ErrRejected
	}
	return user, nil
}

func testConfig(st store.Store) Config {
	return Config{
		Store: st, AllowPlaintextAuth: true, Auth: authn.PasswordFunc(testAuth), Logger: slog.New(slog.DiscardHandler),
	}
}

// testStore has the accounts alice and bob, and carol with room for 1000
// octets.
func testStore(tb testing.TB) *memstore.Store {
	tb.Helper()
	st := memstore.New(nil)
	for _, id := range []store.AccountID{"alice", "bob", "carol"} {
		info := store.AccountInfo{}
		if id == "carol" {
			info.Limits.Bytes = 1000
		}
		if err := st.Create(tb.Context(), id, info); err != nil {
			tb.Fatal(err)
		}
	}
	tb.Cleanup(func() { st.Close() })
	return st
}

// testServer is closed at the end of the test.
func testServer(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	srv, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := srv.Close(); err != nil {
			tb.Error(err)
		}
	})
	return srv
}

// listenAndServe returns how to connect to the server on loopback.
func listenAndServe(tb testing.TB, srv *Server) func() (net.Conn, error) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	go srv.Serve(l)
	return func() (net.Conn, error) {
		nc, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			err = nc.SetDeadline(time.Now().Add(20 * time.Second))
		}
		return nc, err
	}
}

// deliver adds a message to a mailbox behind the server's back.
func deliver(tb testing.TB, st store.Store, id store.AccountID, mailbox, body string, flags store.Flags) store.OpResult {
	tb.Helper()
	a, err := st.Open(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := store.MailboxByName(tb.Context(), a, mailbox)
	if err != nil {
		tb.Fatal(err)
	}
	res, err := store.AppendMessage(tb.Context(), st, a, "", store.NewMessage{
		Mailbox: m.ID, Flags: flags, Body: strings.NewReader(body), BodySize: int64(len(body)),
	})
	if err != nil {
		tb.Fatal(err)
	}
	return res.Ops[0]
}

func testTLS(tb testing.TB) (server, client *tls.Config) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "localhost"}
}

// indexedStore has an index of texts that knows everything.
type indexedStore struct{ store.Store }

type indexedAccount struct{ store.Account }

func (s indexedStore) Open(ctx context.Context, id store.AccountID) (store.Account, error) {
	a, err := s.Store.Open(ctx, id)
	return indexedAccount{a}, err
}

func (a indexedAccount) SearchText(ctx context.Context, q store.SearchQuery) (hits store.SearchHits, err error) {
	hits.Match, err = store.Search(ctx, a.Account, q, searchtext.Matcher(q.Text, q.In))
	return hits, err
}

// scriptConfig sets up a server as a script's header wants it.
func scriptConfig(cfg *Config, s *imaptest.Script, serverTLS *tls.Config) error {
	switch s.Header["config"] {
	case "":
	case "starttls":
		cfg.TLSConfig, cfg.AllowPlaintextAuth = serverTLS, false
	case "sasl":
		cfg.Auth, cfg.Limits.MaxAuthFailures, cfg.Limits.MaxBadBeforeLogin = authtest.Authenticator{}, -1, -1
	case "sasl starttls":
		cfg.Auth, cfg.TLSConfig, cfg.AllowPlaintextAuth = authtest.Authenticator{}, serverTLS, false
	case "requiretls starttls":
		cfg.Auth, cfg.TLSConfig, cfg.RequireTLS = authtest.Authenticator{}, serverTLS, true
	case "nopasswords":
		cfg.Auth = authtest.Authenticator{NoPasswords: true}
	case "saved3":
		cfg.Limits.MaxSaved = 3
	case "limit3":
		cfg.Limits.MaxMessagesPerCommand = 3
	case "literalminus":
		cfg.LiteralMinus = true
	case "nocompress":
		cfg.Limits.MaxCompressionBytes = 1
	case "hide":
		cfg.Hide = func(c *Client, cap imap.Capability) bool {
			return len(c.ID) > 1 && c.ID[1] == "Broken Mail" && (cap == imap.CapQResync || cap == imap.CapUnauthenticate)
		}
	case "urls":
		cfg.Hostname, cfg.JMAPAccess = "imap.example.org", "https://example.org/.well-known/jmap"
	case "utf8only":
		cfg.UTF8Only = true
	case "admin":
		cfg.QuotaAdmin = func(_ context.Context, user store.AccountID) bool { return user == "alice" }
	case "annotations":
		cfg.Annotations = Annotations{Comment: "A test", Admin: "mailto:root@example.org"}
		cfg.Limits.MaxAnnotationBytes, cfg.Limits.MaxAnnotations = 30, 5
	case "sharing":
		cfg.Sharing = &Sharing{Accounts: []store.AccountID{"info"}}
		if err := cfg.Store.Create(context.Background(), "info", store.AccountInfo{}); err != nil {
			return err
		}
	case "index":
		cfg.Store = indexedStore{cfg.Store}
	case "small":
		cfg.Limits.MaxMessageBytes = 100
	default:
		return fmt.Errorf("unknown config %q", s.Header["config"])
	}
	return nil
}

// playOn replays one script against a new server.
func playOn(t *testing.T, s *imaptest.Script, mode string) error {
	st := testStore(t)
	cfg := testConfig(st)
	serverTLS, clientTLS := testTLS(t)
	if err := scriptConfig(&cfg, s, serverTLS); err != nil {
		return err
	}
	if mode == "tls" {
		cfg.TLSConfig, cfg.ImplicitTLS = serverTLS, true
	}
	dial := listenAndServe(t, testServer(t, cfg))
	wrap := func(nc net.Conn) (net.Conn, error) {
		tc := tls.Client(nc, clientTLS)
		return tc, tc.Handshake()
	}
	p := imaptest.Player{Dial: dial, StartTLS: wrap, Bytes: mode == "bytes"}
	if mode == "tls" {
		p.Dial = func() (net.Conn, error) {
			nc, err := dial()
			if err != nil {
				return nil, err
			}
			return wrap(nc)
		}
	}
	return p.Play(s)
}

// TestScripts replays the dialogues of testdata in every way.
func TestScripts(t *testing.T) {
	scripts, err := imaptest.Load("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		for _, mode := range []string{"whole", "bytes", "tls"} {
			if mode == "tls" && (strings.HasSuffix(s.Header["config"], "starttls") || s.Header["tls"] == "no") {
				continue
			}
			t.Run(s.Name+"/"+mode, func(t *testing.T) {
				t.Parallel()
				if err := playOn(t, s, mode); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
