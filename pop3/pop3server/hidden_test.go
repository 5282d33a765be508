package pop3server_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/authtest"
	"github.com/mailstead/mailstead/pop3/pop3server"
)

// traced is what Trace.Line shows of the lines of a client.
func traced(t *testing.T, auth authn.Authenticator, said string) string {
	t.Helper()
	var mu sync.Mutex
	var seen []string
	s := maildrop(t, "A: 1\r\n\r\n")
	defer s.Close()
	srv, err := pop3server.New(pop3server.Config{
		Store: s, Auth: auth, AllowPlaintextAuth: true, Logger: discard,
		Trace: pop3server.Trace{Line: func(_ pop3server.Peer, client bool, text []byte) {
			mu.Lock()
			defer mu.Unlock()
			if client {
				seen = append(seen, string(text))
			}
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	here, there := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- srv.ServeConn(there) }()
	go func() {
		io.WriteString(here, said)
		io.WriteString(here, "QUIT\r\nQUIT\r\n")
	}()
	io.Copy(io.Discard, here)
	<-done
	mu.Lock()
	defer mu.Unlock()
	return strings.Join(seen, "|")
}

// A secret is hidden however the line is written, be it a command or none.
func TestSecretsBehindBlanks(t *testing.T) {
	for said, want := range map[string]string{
		"AUTH PLAIN c2VjcmV0":              "AUTH PLAIN ***|QUIT",
		"AUTH PLAIN\tc2VjcmV0":             "AUTH PLAIN ***|QUIT",
		"AUTH \tPLAIN \t c2VjcmV0":         "AUTH \tPLAIN ***|QUIT",
		"AUTH PLAIN\x00c2VjcmV0":           "AUTH PLAIN ***|QUIT",
		"AUTH PLAIN\rc2VjcmV0":             "AUTH PLAIN ***|QUIT",
		"AUTH PLAIN\vc2VjcmV0":             "AUTH PLAIN ***|QUIT",
		"AUTH PLAIN":                       "AUTH PLAIN|***|QUIT",
		"AUTH\tPLAIN c2VjcmV0":             "***|QUIT",
		"AUTH\tPLAIN\tc2VjcmV0":            "***|QUIT",
		" AUTH PLAIN c2VjcmV0":             "***|QUIT",
		"APOP alice\tc2VjcmV0":             "APOP alice ***|QUIT",
		"APOP  alice  c2VjcmV0":            "APOP  alice ***|QUIT",
		"APOP\talice c2VjcmV0":             "***|QUIT",
		"PASS c2VjcmV0":                    "PASS ***|QUIT",
		"PASS  c2VjcmV0 c2VjcmV0":          "PASS ***|QUIT",
		"PASS    ":                         "PASS ***|QUIT",
		"PASS\tc2VjcmV0":                   "***|QUIT",
		"PASSWORD c2VjcmV0":                "***|QUIT",
		"USER alice":                       "USER alice|QUIT",
		"c2VjcmV0":                         "***|QUIT",
		loggedIn + "AUTH\tPLAIN\tc2VjcmV0": "USER alice|PASS ***|AUTH ***|QUIT",
		loggedIn + "XTND XMIT":             "USER alice|PASS ***|XTND ***|QUIT",
		loggedIn + "AUTH PLAIN\tc2VjcmV0":  "USER alice|PASS ***|AUTH PLAIN ***|QUIT",
	} {
		auth := authn.Authenticator(authtest.Authenticator{})
		if strings.HasPrefix(said, loggedIn) {
			auth = authn.PasswordFunc(judge)
		}
		if got := traced(t, auth, said+"\r\n"); got != want {
			t.Errorf("%q is shown as %q, want %q", said, got, want)
		}
	}
}

const loggedIn = "USER alice\r\nPASS pass word\r\n"
