package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("STOREWORKER_ROLE") == "program" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestWorker runs each engine for a while, kills it, and verifies: an engine
// that was only killed loses nothing. What the worker is there for must have
// happened, or the power cuts prove little.
func TestWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("runs for seconds")
	}
	does := map[string]string{
		"sqlite":  "append copy compacted deleted deleting entry expunge flagged gone mailbox move refused renamed renaming",
		"maildir": "append copy deleted deleting entry expunge flagged gone mailbox move refused renamed renaming",
		"queue":   "queued",

		"lmtpsink": "sunk",
	}
	sink := filepath.Join(t.TempDir(), "lmtpsink")
	build := exec.Command("go", "build", "-o", sink, "./lmtpsink")
	build.Dir = filepath.Join("..", "..", "..", "examples")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("examples/lmtpsink cannot be built: %v\n%s", err, out)
	}
	t.Setenv("LMTPSINK", sink)
	for name := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, ok := does[name]
			if !ok {
				want = does["sqlite"]
			}
			dir := t.TempDir()
			acks := filepath.Join(dir, "acks")
			if err := os.WriteFile(acks, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 4*time.Second)
			defer stop()
			out, err := program(ctx, dir, acks, "", "-engine", name, "run").CombinedOutput()
			if ctx.Err() == nil {
				t.Fatalf("run ended: %v\n%s", err, out)
			}
			lines, err := os.ReadFile(acks)
			if err != nil {
				t.Fatal(err)
			}
			lines = lines[:bytes.LastIndexByte(lines, '\n')+1]
			for word := range strings.FieldsSeq(want) {
				if !strings.Contains("\n"+string(lines), "\n"+word+" ") {
					t.Errorf("nothing was %s", word)
				}
			}
			if out, err := program(t.Context(), dir, acks, string(lines), "-engine", name, "verify").CombinedOutput(); err != nil {
				t.Errorf("verify: %v\n%s", err, out)
			}
			switch name {
			case "queue":
				return
			case "lmtpsink":
				lie := "sunk 4000000000 user1@example.org\n"
				if _, err := program(t.Context(), dir, acks, string(lines)+lie, "-engine", name, "verify").CombinedOutput(); err == nil {
					t.Error("verify does not see a message that is missing")
				}
				return
			}
			for what, lie := range lies(t, string(lines)) {
				if _, err := program(t.Context(), dir, acks, string(lines)+lie, "-engine", name, "verify").CombinedOutput(); err == nil {
					t.Errorf("verify does not see %s: %s", what, lie)
				}
			}
		})
	}
}

// lies are lines about what is there that verify must not believe.
func lies(t *testing.T, lines string) map[string]string {
	t.Helper()
	m, err := readModel(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	nowhere := store.NewMailboxID()
	out := map[string]string{
		"a message that is missing": fmt.Sprintf("append account0 %s 1 1\n", nowhere),
		"a mailbox that is missing": fmt.Sprintf("mailbox account0 %s Nowhere\n", nowhere),
	}
	for p, x := range m.messages {
		if box := m.boxes[place{account: p.account, box: p.box}]; x.gone || x.flags != 0 || box == nil || box.dying {
			continue
		}
		at := fmt.Sprintf("%s %s", p.account, p.box)
		out["a refused message that is there"] = fmt.Sprintf("refused %s %d\n", at, x.seed)
		out["an expunged message that is back"] = fmt.Sprintf("expunge %s %d\n", at, p.uid)
		out["a lost flag"] = fmt.Sprintf("flagged %s %d\n", at, p.uid)
		out["other octets"] = fmt.Sprintf("append %s %d %d\n", at, p.uid, x.seed+1)
		out["a mailbox that is back"] = fmt.Sprintf("gone %s\n", at)
		out["a lost rename"] = fmt.Sprintf("renamed %s Other\n", at)
	}
	for p, n := range m.entries {
		out["an old entry"] = fmt.Sprintf("entry %s %s %s %d\n", p.account, p.box, m.keys[p], n+5)
	}
	if len(out) != 9 {
		t.Errorf("only %d lies could be told", len(out))
	}
	return out
}

func program(ctx context.Context, dir, acks, in string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "STOREWORKER_ROLE=program", "POWERCUT_DIR="+dir, "POWERCUT_ACKS="+acks)
	cmd.Stdin = strings.NewReader(in)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // with what it starts
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}
