package main

import (
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// maxLines is what a backend may cost, comments and empty lines included.
const maxLines = 500

// TestSize counts the lines of the whole program as gofmt writes them.
func TestSize(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = format.Source(text); err != nil {
			t.Fatal(err)
		}
		total += strings.Count(string(text), "\n")
	}
	if total == 0 || total > maxLines {
		t.Errorf("%d lines, want 1 to %d", total, maxLines)
	}
}
