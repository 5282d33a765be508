package pop3server_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/internal/authtest"
	"github.com/mailstead/mailstead/internal/script"
	"github.com/mailstead/mailstead/pop3/pop3server"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/memstore"
)

// The messages of alice in the scripts.
var scriptMessages = []string{
	"Subject: 1\r\n\r\n.dot\r\n..\r\n.\r\nend",
	"Subject: 2\r\n\r\na\r\nb\r\n",
	"Subject: 2\r\n\r\na\r\nb\r\n", // the same again
	"Subject: gr\u00fc\u00dfe\r\nTo: p\u00e9p\u00e9@example.org\r\n\r\nK\u00f6rper\r\n",
	"Subject: only a header\r\n",
}

// users keeps the secret in clear text, for APOP.
type users map[string]string

func (u users) Lookup(_ context.Context, name string) (login.Record, error) {
	secret, ok := u[name]
	if !ok {
		return login.Record{}, login.ErrNoUser
	}
	return login.Record{Hash: "{PLAIN}" + secret, Account: "alice"}, nil
}

// scriptAuth fails in all the ways there are.
func scriptAuth(_ context.Context, _ *authn.Peer, user, password string) (string, error) {
	switch {
	case user == "panic":
		panic("a backend panics")
	case password != "secret":
		return "", authtest.Error("rejected")
	case user == "alice", user == "gr\u00fc\u00dfe", user == "pass word":
		return "alice", nil
	case user == "nobody": // proved who he is, and has no maildrop
		return "nobody", nil
	}
	return "", authtest.Error(user)
}

func scriptPolicy(_ context.Context, id store.AccountID) (pop3server.Policy, error) {
	return pop3server.Policy{RetentionDays: 30, LoginDelay: 90 * time.Second}, nil
}

// german is a translation of a part.
var german = pop3server.Language{Tag: "de-AT", Name: "Deutsch (\u00d6sterreich)", Texts: map[string]string{
	"Language changed": "Sprache ge\u00e4ndert", "No such message": "Nachricht gibt es nicht", "Unknown command": "Unbekannter Befehl",
	"Maildrop has %d messages (%d octets)": "%d Nachrichten (%d Oktette)",
}}

// scriptConfig is the configuration that a script asks for.
func scriptConfig(t *testing.T, s *script.Script, mode string) (cfg pop3server.Config, client *tls.Config) {
	cfg = pop3server.Config{Auth: authn.PasswordFunc(scriptAuth), AllowPlaintextAuth: true, Hostname: "pop.example"}
	server := testTLS(t)
	for _, word := range strings.Fields(s.Header["config"]) {
		switch word {
		case "starttls":
			cfg.TLSConfig, cfg.AllowPlaintextAuth = server, false
		case "requiretls":
			cfg.TLSConfig, cfg.RequireTLS = server, true
		case "sasl":
			cfg.Auth = authtest.Authenticator{}
		case "nopasswords":
			cfg.Auth = authtest.Authenticator{NoPasswords: true}
		case "apop":
			cfg.Auth = (&login.Service{Backend: users{"alice": "tanstaaf"}, Enable: []string{"APOP"}, Guard: login.Unguarded{}, Logger: slog.New(slog.DiscardHandler)}).Authenticator()
		case "policy":
			cfg.Policy, cfg.UserPolicy = pop3server.Policy{RetentionDays: 7, LoginDelay: 10 * time.Minute}, scriptPolicy
		case "download":
			cfg.Policy.DeleteRetrieved = true
		case "refuse":
			cfg.Headers = pop3server.RefuseHeaders
		case "mask":
			cfg.Headers = pop3server.MaskHeaders
		case "lang":
			cfg.Languages = []pop3server.Language{german}
		default:
			t.Fatalf("unknown config %q", word)
		}
	}
	if mode == "tls" {
		cfg.TLSConfig, cfg.ImplicitTLS = server, true
	}
	return cfg, &tls.Config{InsecureSkipVerify: true}
}

// TestScripts replays the dialogues of testdata in every way.
func TestScripts(t *testing.T) {
	for _, s := range script.Load(t, "testdata/*.txt") {
		for _, mode := range []string{"whole", "bytes", "pipelined", "tls"} {
			if mode == "tls" && strings.Contains(s.Header["config"], "tls") {
				continue
			}
			if s.Header[mode] == "no" {
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

func playOn(t *testing.T, s *script.Script, mode string) error {
	cfg, clientTLS := scriptConfig(t, s, mode)
	st := memstore.New(nil)
	if err := st.Create(t.Context(), "alice", store.AccountInfo{}); err != nil {
		return err
	}
	for _, m := range scriptMessages {
		addTo(t, st, "alice", m)
	}
	_, addr := serve(t, st, func(c *pop3server.Config) {
		cfg.Store, cfg.Logger = c.Store, c.Logger
		*c = cfg
	})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	wrap := func(nc net.Conn) (net.Conn, error) {
		tc := tls.Client(nc, clientTLS)
		return tc, tc.Handshake()
	}
	p := script.Player{
		Conn: nc, Lines: true, StartTLS: wrap,
		Mode:      map[string]script.Mode{"bytes": script.Bytes, "pipelined": script.Pipelined}[mode],
		EndsGroup: func(line string) bool { return strings.HasPrefix(strings.ToUpper(line), "STLS") },
	}
	if mode == "tls" {
		if p.Conn, err = wrap(nc); err != nil {
			return err
		}
	}
	if err := p.Play(s); err != nil {
		return err
	}
	p.Conn.Close()
	return left(t, st, s.Header["left"])
}

// left compares what alice has left with UIDs that a script names.
func left(t *testing.T, st store.Store, want string) error {
	if want == "" {
		want = "1:5"
	}
	if got := uidsOf(t, st, "alice"); got != want {
		return fmt.Errorf("left %q, want %q", got, want)
	}
	return nil
}
