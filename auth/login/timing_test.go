package login

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/timing"
)

// TestTimingSCRAM reports how long refusals of SCRAM take: both answers of the
// server, the last of which refuses a proof. TestTiming of filelogin does so for
// passwords.
func TestTimingSCRAM(t *testing.T) {
	s := allMechanisms(t)
	final := ",p=" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	timing.Report(t, []timing.Kind{
		{Name: "wrong", User: "alice@example.org"}, {Name: "unknown", User: "eve@example.org"}, {Name: "disabled", User: "dora@example.org"}, {Name: "app only", User: "only@example.org"},
	}, func(user string) {
		server, err := s.Server(t.Context(), "SCRAM-SHA-256", attempt("", ""), nil)
		if err != nil {
			t.Fatal(err)
		}
		challenge, _, err := server.Next([]byte("n,,n=" + user + ",r=abc"))
		if err != nil {
			t.Fatal(err)
		}
		nonce, _, _ := strings.Cut(string(challenge), ",")
		if _, _, err := server.Next([]byte("c=biws," + nonce + final)); err != ErrRejected {
			t.Fatalf("%s: %v", user, err)
		}
	})
}
