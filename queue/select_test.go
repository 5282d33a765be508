package queue_test

import (
	"testing"

	"github.com/mailstead/mailstead/queue"
)

func TestFoldPath(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "bob@example.net": "bob@example.net", "Bob@EXAMPLE.net": "bob@example.net",
		"B\xffZ": "b\xffz", "\xfe": "\xfe", "\u00c4A": "\u00c4a", "[@`{": "[@`{",
	} {
		if got := queue.FoldPath(in); got != want {
			t.Errorf("FoldPath(%q) = %q, want %q", in, got, want)
		}
	}
}
