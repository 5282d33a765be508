//go:build unix

package pipe

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/smtp"
)

// A program whose input cannot be read to its end is killed before it could see
// an end.
func TestInputFails(t *testing.T) {
	dir := t.TempDir()
	target := &Target{Dir: dir}
	input := io.MultiReader(strings.NewReader("Subject: x\n"), iotest.ErrReader(smtp.ErrTruncated))
	_, err := run(t.Context(), target, []string{"/bin/sh", "-c", "cat > /dev/null; echo whole > whole"}, input, io.Discard)
	if !errors.Is(err, smtp.ErrTruncated) {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "whole")); err == nil {
		t.Error("the program has seen a whole message")
	}
}
