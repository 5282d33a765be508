package deliver

import (
	"bytes"
	"net/mail"
	"strings"
	"testing"
)

// What says "TLS-Required: No" to us says it to the standard library, too, as far
// as that takes the header for one.
func FuzzTLSRequired(f *testing.F) {
	for _, s := range []string{
		"TLS-Required: No\r\n\r\n", "A: b\r\ntls-required:\r\n no \r\n\r\nTLS-Required: No\r\n", "TLS-Required: No\r\nTLS-Required: No\r\n\r\n",
		"TLS-Required: Yes\r\n\r\n", "X: TLS-Required: No\r\n\r\n", "X:\r\n TLS-Required: No\r\n\r\n", "TLS-Required: No", "\r\nTLS-Required: No\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		got := tlsRequiredNo(head)
		m, err := mail.ReadMessage(bytes.NewReader(head))
		if err != nil || bytes.Contains(bytes.ReplaceAll(head, []byte("\r\n"), nil), []byte("\n")) || bytes.Contains(head, []byte("\r\r")) {
			return // bare line ends are taken in many ways
		}
		values := m.Header["Tls-Required"]
		want := len(values) == 1 && strings.EqualFold(strings.TrimSpace(values[0]), "no")
		if got != want {
			t.Fatalf("%q: %v, want %v", head, got, want)
		}
	})
}
