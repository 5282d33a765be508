package pop3

import (
	"strings"
	"testing"
)

func TestValidUniqueID(t *testing.T) {
	for id, want := range map[string]bool{
		"1.42": true, "!~": true, strings.Repeat("x", 70): true,
		"": false, "a b": false, "a\x7f": false, "ü": false, "a\r\n": false, strings.Repeat("x", 71): false,
	} {
		if got := ValidUniqueID(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}
