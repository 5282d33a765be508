package dkim_test

import (
	"fmt"
	"strings"
	"testing"

	msgauth "github.com/emersion/go-msgauth/dkim"

	"github.com/mailstead/mailstead/auth/dkim"
)

// benchMessage has text and base64 in equal parts, and 20 fields.
func benchMessage(size int) string {
	header := "From: a@example.org\r\nTo: b@example.net\r\nSubject: a message\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
	for i := range 15 {
		header += fmt.Sprintf("X-Field-%d: some value of a usual length,\r\n\tfolded once\r\n", i)
	}
	text := strings.Repeat("A line of ordinary text in a message, as people write them every day.\r\n", size/2/72)
	return header + "\r\n" + text + strings.Repeat("TWFpbHN0ZWFkIG1haWwgYnVpbGRpbmcgYmxvY2tzTWFpbHN0ZWFkIG1haWwgYnVpbGRpbmcgYmxv\r\n", size/2/80)
}

// BenchmarkVerify stands beside go-msgauth, with answers of the DNS at once.
func BenchmarkVerify(b *testing.B) {
	keys, z := testKeys(b)
	for _, size := range []int{4 << 10, 100 << 10, 1 << 20, 10 << 20} {
		message := signed(b, keys[0], benchMessage(size), dkim.Signer{})
		b.Run(fmt.Sprintf("%dK/ours", size>>10), func(b *testing.B) {
			v := &dkim.Verifier{Resolver: z}
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				if r, err := v.Verify(b.Context(), strings.NewReader(message)); err != nil || r.Results[0].Reason != "" {
					b.Fatal(err, r)
				}
			}
		})
		b.Run(fmt.Sprintf("%dK/go-msgauth", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				r, err := msgauth.VerifyWithOptions(strings.NewReader(message), &msgauth.VerifyOptions{LookupTXT: z.txt})
				if err != nil || r[0].Err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
