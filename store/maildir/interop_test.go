package maildir_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// TestMutt lets mutt flag, delete and copy messages of a tree in use.
func TestMutt(t *testing.T) {
	if os.Getenv("MAILSTEAD_PEERS") != "required" {
		t.Skip("MAILSTEAD_PEERS=required is not set; mutt takes seconds to watch")
	}
	mutt, err := exec.LookPath("mutt")
	script, serr := exec.LookPath("script")
	if err := errors.Join(err, serr); err != nil {
		t.Fatal(err)
	}
	x := newTree(t)
	for _, subject := range []string{"one", "two", "three"} {
		x.put("From: a@example.org\r\nSubject: "+subject+"\r\nMessage-ID: <"+subject+"@x>\r\n\r\nhi\r\n", 0)
	}
	x.do(store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: "Saved"})
	at := x.box(store.Inbox).HighestModSeq
	rc := filepath.Join(t.TempDir(), "muttrc")
	set := "set folder=" + x.path("") + " copy=no delete=yes confirmappend=no move=no quit=yes sort=mailbox-order mbox_type=Maildir mark_old=no\n"
	if err := os.WriteFile(rc, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}
	// mutt wants a terminal, which script(1) makes, and a user who waits for it.
	keys := "(sleep 1; printf '=F'; sleep 0.5; printf 'jd*C'; sleep 0.5; printf '\\025" + x.path(".Saved") + "\\n'; sleep 0.5; printf '$'; sleep 0.5; printf 'q'; sleep 1)"
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", keys+" | "+script+" -qec '"+mutt+" -n -F "+rc+" -f "+x.path("")+"' /dev/null")
	cmd.Env = append(os.Environ(), "TERM=xterm", "HOME="+t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil || testing.Verbose() {
		t.Logf("mutt: %v: %.3000q", err, out)
	}
	flagged, gone := 0, 0
	for _, m := range x.all(store.Inbox, store.Query{Since: at}) {
		if m.Gone {
			gone++
		}
		if m.Flags&store.Flagged != 0 {
			flagged++
		}
	}
	if flagged != 1 || gone != 1 {
		t.Errorf("after mutt %d flagged, %d gone; cur %q new %q", flagged, gone, x.files("cur"), x.files("new"))
	}
	if saved := x.all("Saved", store.Query{}); len(saved) != 1 {
		t.Errorf("Saved holds %+v", saved)
	}
}
