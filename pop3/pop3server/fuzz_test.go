package pop3server_test

import (
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/pop3/pop3server"
)

func FuzzSession(f *testing.F) {
	f.Add("USER alice\r\nPASS pass word\r\nSTAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nTOP 1 1\r\nDELE 1\r\nRSET\r\nQUIT\r\n")
	f.Add("CAPA\r\nSTLS\r\n\x16\x03\x01")
	f.Fuzz(func(t *testing.T, input string) {
		s := maildrop(t, "A: 1\r\n\r\nbody\r\n")
		defer s.Close()
		srv, err := pop3server.New(pop3server.Config{Store: s, Auth: authn.PasswordFunc(judge), AllowPlaintextAuth: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		here, there := net.Pipe()
		done := make(chan error, 1)
		go func() { done <- srv.ServeConn(there) }()
		go func() { io.WriteString(here, "USER alice\r\nPASS pass word\r\n"+input+"\r\nQUIT\r\n") }()
		out, _ := io.ReadAll(here)
		<-done
		if !strings.HasPrefix(string(out), "+OK") {
			t.Errorf("greeting %q", out)
		}
	})
}
