package itest

import (
	"context"
	"crypto/md5" //nolint:gosec // APOP's own
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/saslmech"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// apopOnly takes nothing but APOP, whatever it offers.
type apopOnly struct {
	logins, passwords *atomic.Int32
	mechanisms        []string
}

func (a apopOnly) Mechanisms(*authn.Peer) []string { return a.mechanisms }

func (a apopOnly) Start(context.Context, *authn.Peer, string, func(string)) (sasl.Server, error) {
	a.passwords.Add(1)
	return nil, authn.ErrRejected
}

func (a apopOnly) Password(context.Context, *authn.Peer, string, string) (string, error) {
	a.passwords.Add(1)
	return "", authn.ErrRejected
}

func (apopOnly) OffersAPOP(*authn.Peer) bool { return true }

func (a apopOnly) APOP(_ context.Context, _ *authn.Peer, l authn.APOP) (string, error) {
	if l.Username != alice || l.Digest != md5.Sum([]byte(l.Timestamp+password)) { //nolint:gosec // APOP's own
		return "", authn.ErrRejected
	}
	a.logins.Add(1)
	return alice, nil
}

// TestConnectorAPOP: where the configuration has APOP, no password goes in the
// clear, also to a server that would take one.
func TestConnectorAPOP(t *testing.T) {
	needServer(t)
	st := memstore.New(nil)
	t.Cleanup(func() { st.Close() })
	if err := st.Create(t.Context(), alice, store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	for _, mechanisms := range [][]string{nil, {sasl.Plain}} {
		auth := apopOnly{new(atomic.Int32), new(atomic.Int32), mechanisms}
		srv, err := pop3server.New(pop3server.Config{Store: st, Auth: auth, AllowPlaintextAuth: true})
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); srv.Serve(l) }()
		t.Cleanup(func() { srv.Close(); <-done })
		host, port, _ := net.SplitHostPort(l.Addr().String())
		c := newConnector(t, fmt.Sprintf("[[source]]\nname = \"a\"\nprotocol = \"pop3\"\nhost = %q\nport = %s\ntls = \"none\"\n"+
			"user = %q\npassword = %q\nrecipient = %q\napop = true\n", host, port, alice, password, alice))
		c.run(0, "once")
		if n, clear := auth.logins.Load(), auth.passwords.Load(); n != 1 || clear != 0 {
			t.Errorf("%v: %d logins by APOP, %d passwords", mechanisms, n, clear)
		}
	}
}

// source is alice's mailbox behind the doors; credentials are lines of the
// configuration.
func (d *doors) source(name, protocol, credentials string) string {
	return fmt.Sprintf("[[source]]\nname = %q\nprotocol = %q\nhost = \"127.0.0.1\"\nport = %s\ntls-ca = %q\nuser = %q\nrecipient = %q\nevery = \"1s\"\n%s\n",
		name, protocol, d.ports[protocol], d.ca.path("ca.pem"), alice, alice, credentials)
}

// send puts messages into alice's mailbox by IMAP.
func (d *doors) send(n int) {
	d.t.Helper()
	user := login.Client{Credentials: saslmech.Credentials{Username: alice, Token: token}}
	dialer := &imapclient.Dialer{TLS: imapclient.TLSImplicit, TLSConfig: &tls.Config{RootCAs: d.ca.pool()}, Auth: user}
	c, err := dialer.Dial(d.t.Context(), "tcp", "127.0.0.1:"+d.ports["imaps"])
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		m := message(i)
		if _, err := c.Append(d.t.Context(), imap.Inbox, &imapclient.NewMessage{Size: int64(len(m)), Body: strings.NewReader(string(m))}); err != nil {
			d.t.Fatal(err)
		}
	}
	d.log.seen()
}

// issuer gives access tokens for refresh tokens, each of which serves once.
func issuer(t *testing.T) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if want := fmt.Sprint("refresh-", n); r.FormValue("refresh_token") != want || r.FormValue("client_id") != "connector" {
			w.WriteHeader(http.StatusBadRequest)
			json.NewEncoder(w).Encode(map[string]any{"error": "invalid_grant"})
			return
		}
		json.NewEncoder(w).Encode(map[string]any{
			"access_token": token, "token_type": "Bearer", "expires_in": 3600, "refresh_token": fmt.Sprint("refresh-", n+1),
		})
	}))
	t.Cleanup(srv.Close)
	return srv.URL, asked
}

// TestConnectorOAuth: with a token from a file, and with one that is refreshed, by
// each mechanism and protocol. What the issuer gives in place of a refresh token is
// kept for the next run.
func TestConnectorOAuth(t *testing.T) {
	needServer(t)
	for _, mechanism := range []string{saslmech.OAuthBearer, saslmech.XOAuth2} {
		other := saslmech.XOAuth2
		if mechanism == other {
			other = saslmech.OAuthBearer
		}
		d := newDoors(t, other)
		for _, protocol := range []string{"pop3s", "imap"} {
			t.Run(mechanism+" "+protocol, func(t *testing.T) {
				given := writeFile(t, "token", []byte(token+"\n"))
				refresh := writeFile(t, "refresh", []byte("refresh-1\n"))
				url, asked := issuer(t)
				c := newConnector(t, fmt.Sprintf("[oauth.given]\nprovider = \"token\"\ntoken-file = %q\n"+
					"[oauth.renewed]\nprovider = \"other\"\nclient-id = \"connector\"\ntoken-url = %q\ntoken-file = %q\n", given, url, refresh)+
					d.source("given", protocol, `oauth = "given"`)+d.source("renewed", protocol, `oauth = "renewed"`))
				for _, name := range []string{"given", "renewed", "renewed"} {
					d.send(2)
					if out := c.run(0, "once", name); !strings.Contains(out, "collected 2,") {
						t.Errorf("%s: %s", name, out)
					}
					events := d.log.seen()
					if want := strings.TrimSuffix(protocol, "s") + " " + mechanism + " " + alice; !slices.Contains(events, want) {
						t.Errorf("%s: %q has no %q", name, events, want)
					}
				}
				kept, err := os.ReadFile(refresh)
				if err != nil || strings.TrimSpace(string(kept)) != "refresh-3" || asked.Load() != 2 {
					t.Errorf("%q is kept after %d refreshs, %v", kept, asked.Load(), err)
				}
				if text := c.log.all(); strings.Contains(text, token) || strings.Contains(text, "refresh-") {
					t.Error("a token stands in the log")
				}
			})
		}
	}
}

// TestConnectorWrongPassword: a server hears a wrong password once for each visit,
// by whatever mechanism, and not again for long, however often the source is due.
// The others are not held up, and the right one helps at once.
func TestConnectorWrongPassword(t *testing.T) {
	needServer(t)
	d := newDoors(t)
	d.send(3)
	const wrong = `password = "tr0ub4dor"`
	byPOP3, byIMAP := d.source("by-pop3", "pop3s", wrong), d.source("by-imap", "imaps", wrong)
	good := d.source("good", "imap", fmt.Sprintf("password = %q\nidle = false", password))
	c := newConnector(t, byPOP3+byIMAP+good)
	c.start()
	refusals := map[string]int{}
	visits := 0
	eventually(t, 30*time.Second, "the good source is not visited", func() bool {
		for _, e := range d.log.seen() {
			if protocol, _, _ := strings.Cut(e, " "); strings.Contains(e, "refused") {
				refusals[protocol]++
			} else {
				visits++
			}
		}
		return visits >= 4 && len(refusals) == 2
	})
	if refusals["pop3"] != 1 || refusals["imap"] != 1 {
		t.Errorf("refused logins: %v", refusals)
	}
	st := c.status()
	for _, src := range st.Sources {
		if bad := src.Name != "good"; bad != (src.Error != "") || bad && src.Phase != "waiting" {
			t.Errorf("%+v", src)
		}
	}
	if n := st.Sources[2].Counts.Fetched; n != 3 {
		t.Errorf("%d collected by the good source", n)
	}
	d.send(2)
	c.configure(strings.Replace(byPOP3, wrong, fmt.Sprintf("password = %q", password), 1))
	c.hup("the configuration was read again")
	eventually(t, 20*time.Second, "the right password does not help", func() bool { return c.status().Sources[0].Counts.Fetched == 2 })
	c.terminate()
	if strings.Contains(c.log.all(), "tr0ub4dor") {
		t.Error("the password stands in the log")
	}
}
