package itest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// testAlpine types into alpine: it selects all messages, exports them to a file,
// deletes one and expunges it. alpine is the client of the c-client library.
func testAlpine(t *testing.T, g guest) {
	peer(t, "alpine")
	g.fill(t, "INBOX", 0, 5)
	_, port := g.hostPort("imaps")
	home := t.TempDir()
	rc := fmt.Appendf(nil, "last-version-used=6.26\nuser-domain=example.org\ninbox-path={localhost:%s/ssl/user=%s}INBOX\n"+
		"feature-list=enable-aggregate-command-set,quit-without-confirm,export-command\n", port, g.name)
	if err := os.WriteFile(filepath.Join(home, ".pinerc"), rc, 0o600); err != nil {
		t.Fatal(err)
	}
	steps, err := json.Marshal([][2]string{
		{"ENTER PASSWORD", password + "\r"},
		{"Preserve password", "n"},
		{"INBOX.*opened", ";"},
		{"SELECT", "a"},
		{"messages selected", "a"},
		{"APPLY command", "e"},
		{"EXPORT.*:", "out.mbox\r"},
		{"exported|written|Done", "1\r"},
		{"Message 1|Jumped|number", "d"},
		{"marked for deletion|eleted", "q"},
		{"Expunge", "y"},
	})
	if err != nil {
		t.Fatal(err)
	}
	runPeer(t, false, "env", "HOME="+home, "SSL_CERT_FILE="+g.certFile(), "python3", script(t, "drive.py"), string(steps), "alpine", "-i")
	same(t, "exported", copied(t, filepath.Join(home, "out.mbox")), []string{"0", "1", "2", "3", "4"})
	if left := g.fetched(t, "INBOX"); len(left) != 4 {
		t.Errorf("after one is deleted: %q", left)
	}
}
