package imapserver

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/store"
)

// answerTo is the answer to a command in a state in which it is allowed.
func answerTo(t *testing.T, srv *Server, v *verb) string {
	t.Helper()
	in := "a " + v.name + " x\r\n"
	if v.states&notAuthenticated == 0 {
		in = "z LOGIN alice secret\r\nz SELECT INBOX\r\n" + in
	}
	conn := &memoryConn{in: strings.NewReader(in)}
	if err := srv.ServeConn(conn); err != nil {
		t.Fatal(err)
	}
	_, out, _ := strings.Cut(conn.out.String(), "\r\na ")
	return out
}

// A command of an extension is there with its capability: not where that is kept
// from the client, and not where the server does without.
func TestVerbsNeedCapability(t *testing.T) {
	const unknown = "BAD Unknown command\r\n"
	base := []string{
		"CAPABILITY", "NOOP", "LOGOUT", "LOGIN", "AUTHENTICATE", "SELECT", "EXAMINE", "CREATE", "DELETE", "RENAME", "SUBSCRIBE",
		"UNSUBSCRIBE", "LIST", "LSUB", "STATUS", "APPEND", "CHECK", "CLOSE", "EXPUNGE", "SEARCH", "FETCH", "STORE", "COPY",
		"UID SEARCH", "UID FETCH", "UID STORE", "UID COPY",
	}
	optional := []string{
		"COMPRESS", "STARTTLS", "SETACL", "DELETEACL", "GETACL", "LISTRIGHTS", "MYRIGHTS", "SETQUOTA", "GENURLAUTH", "URLFETCH",
		"RESETKEY", "GETJMAPACCESS",
	}
	st := testStore(t)
	serverTLS, _ := testTLS(t)
	plain := testConfig(st)
	plain.NoCompress = true
	full := testConfig(st)
	full.TLSConfig, full.Hostname, full.JMAPAccess, full.Sharing = serverTLS, "h", "https://h", &Sharing{}
	full.QuotaAdmin = func(context.Context, store.AccountID) bool { return true }
	for i := range verbs {
		v := &verbs[i]
		if (v.needs == nil) != slices.Contains(base, v.name) {
			t.Errorf("%s needs %v", v.name, v.needs)
		}
		hiding := full
		hiding.Hide = func(_ *Client, c imap.Capability) bool { return slices.Contains(v.needs, c) }
		for _, tt := range []struct {
			name   string
			cfg    Config
			absent bool
		}{
			{"offered", full, false},
			{"hidden", hiding, v.needs != nil},
			{"not offered", plain, slices.Contains(optional, v.name)},
		} {
			if got := answerTo(t, testServer(t, tt.cfg), v); strings.HasPrefix(got, unknown) != tt.absent {
				t.Errorf("%s, %s: %q", v.name, tt.name, got)
			}
		}
	}
}
