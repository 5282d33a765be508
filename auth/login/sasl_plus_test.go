package login

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// secureChannel makes a TLS connection and returns what the server knows of it
// and the client's state.
func secureChannel(t *testing.T) (Attempt, *tls.ConnectionState) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	a, b := net.Pipe()
	server := tls.Server(a, &tls.Config{Certificates: web.TLS.Certificates})
	client := tls.Client(b, &tls.Config{InsecureSkipVerify: true})
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	done := make(chan error, 1)
	go func() { done <- server.HandshakeContext(t.Context()) }()
	if err := errors.Join(client.HandshakeContext(t.Context()), <-done); err != nil {
		t.Fatal(err)
	}
	peer := attempt("", "")
	serverState, clientState := server.ConnectionState(), client.ConnectionState()
	peer.TLSState, peer.ServerCertificate = &serverState, web.Certificate()
	return peer, &clientState
}

// -PLUS is offered where the service sees the TLS state, works, and cannot be
// taken away by somebody in between.
func TestChannelBinding(t *testing.T) {
	var log bytes.Buffer
	peer, client := secureChannel(t)
	other, _ := secureChannel(t)
	s := allMechanisms(t)
	s.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	credentials := saslmech.Credentials{Username: "alice@example.org", Password: "secret"}
	offered := s.Mechanisms(peer)
	if want := []string{"SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"}; !slices.Equal(offered[:3], want) {
		t.Fatalf("offered %v", offered)
	}
	try := func(peer Attempt, mechanism string, mechanisms []string) (Identity, error) {
		c, err := saslmech.Choose(mechanisms, credentials, saslmech.Policy{TLS: client})
		if err != nil {
			t.Fatal(err)
		}
		return converse(s, mechanism, peer, c)
	}
	if id, err := try(peer, "SCRAM-SHA-512-PLUS", offered); err != nil || id.User != "alice@example.org" {
		t.Errorf("bound: %+v, %v", id, err)
	}
	if _, err := try(other, "SCRAM-SHA-512-PLUS", offered); !errors.Is(err, ErrRejected) {
		t.Errorf("bound to another connection: %v", err)
	}
	stripped := slices.DeleteFunc(slices.Clone(offered), func(m string) bool { return strings.HasSuffix(m, "-PLUS") })
	if _, err := try(peer, "SCRAM-SHA-512", stripped); err != ErrRejected || !strings.Contains(log.String(), "hidden from the client") {
		t.Errorf("-PLUS taken away: %v\n%s", err, log.String())
	}
	s.Disable = []string{"SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"}
	if offered := s.Mechanisms(peer); !slices.Equal(offered, stripped) {
		t.Errorf("disabled: %v", offered)
	}
	if _, err := try(peer, "SCRAM-SHA-512", stripped); err != nil {
		t.Errorf("-PLUS never offered: %v", err)
	}
}
