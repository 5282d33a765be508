package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
		"sqlite": "append copy compacted deleted deleting entry expunge flagged gone mailbox move refused renamed renaming",
		"queue":  "queued",
	}
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
			if name == "queue" {
				return
			}
			// What a store never said is missing.
			lie := string(lines) + "append account0 00000000000000000000000000000001 1 1\n"
			if _, err := program(t.Context(), dir, acks, lie, "-engine", name, "verify").CombinedOutput(); err == nil {
				t.Error("verify does not miss a message")
			}
		})
	}
}

func program(ctx context.Context, dir, acks, in string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "STOREWORKER_ROLE=program", "POWERCUT_DIR="+dir, "POWERCUT_ACKS="+acks)
	cmd.Stdin = strings.NewReader(in)
	return cmd
}
