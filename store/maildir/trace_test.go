package maildir_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

var update = flag.Bool("update", false, "write testdata/trace.txt anew")

// TestTrace holds the order of writes and syncs of each step of the crash test
// against testdata/trace.txt, where it is reviewed. Reads are left out,
// and what renews the owner's lock each second.
func TestTrace(t *testing.T) {
	mem, blobs := fresh(t)
	var ops []string
	faulty := vfs.NewFault(mem, func(op vfs.Op) error {
		ops = append(ops, op.String())
		return nil
	})
	var text strings.Builder
	said := 0
	say := func(name string) {
		fmt.Fprintf(&text, "%s\n", name)
		for _, op := range ops[said:] {
			if line := anonymous(op); line != "write .lock" && !strings.HasPrefix(line, "close ") && !strings.HasPrefix(line, "open ") &&
				!strings.HasPrefix(line, "read") && !strings.HasPrefix(line, "stat ") {
				fmt.Fprintf(&text, "\t%s\n", line)
			}
		}
		said = len(ops)
	}
	s, err := openStore(t, faulty, blobs)
	if err != nil {
		t.Fatal(err)
	}
	say("open")
	if err := s.Create(t.Context(), "bob", store.AccountInfo{}); err != nil {
		t.Fatal(err)
	}
	say("create account")
	for i, st := range steps() {
		if err := workOne(t.Context(), s, i); err != nil {
			t.Fatal(err)
		}
		say(st.name)
	}
	a, err := s.Open(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Apply(t.Context(), store.Change{Ops: []store.Op{store.DropAccount{}}}); err != nil {
		t.Fatal(err)
	}
	say("drop account")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	say("close")
	golden := filepath.Join("testdata", "trace.txt")
	if *update {
		if err := errors.Join(os.MkdirAll("testdata", 0o755), os.WriteFile(golden, []byte(text.String()), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("the order of writes changed; with -update the new one is in %s:\n%s", golden, text.String())
	}
}

// anonymous replaces what differs from run to run.
func anonymous(op string) string {
	for _, r := range []struct{ re, with string }{
		{`[0-9a-f]{32}|[A-Z2-7]{26}`, "ID"}, {`\d+\.M\d+P\d+Q(\d+)\.[^,: ]*,S=\d+,W=\d+`, "MESSAGE$1"}, {` \d+\+\d+`, ""},
	} {
		op = regexp.MustCompile(r.re).ReplaceAllString(op, r.with)
	}
	return op
}
