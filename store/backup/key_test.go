package backup

import (
	"bytes"
	"testing"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// TestRowKeepsNoKey: the key of a body, and the Ref that opens only with it, are
// of no use where the content itself is kept.
func TestRowKeepsNoKey(t *testing.T) {
	b := format.AppendMessage(nil, &store.Message{UID: 1, Blob: "the-ref", Key: []byte("the-key"), Meta: []byte("the-meta"), Prefix: []byte("p")})
	for _, s := range [...]string{"the-ref", "the-key", "the-meta"} {
		if bytes.Contains(b, []byte(s)) {
			t.Errorf("the row has %q", s)
		}
	}
	if b = format.AppendMessage(nil, &store.Message{UID: 1, Blob: "the-ref"}); !bytes.Contains(b, []byte("the-ref")) {
		t.Error("the row has no Ref")
	}
}
