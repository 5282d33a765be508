package auth

import (
	"fmt"
	"strings"
	"testing"
)

// ordinary is a message of a size, with 20 fields and a signature.
func ordinary(b testing.TB, w *world, size int) string {
	header, _, _ := strings.Cut(plain, "\r\n\r\n")
	for i := range 15 {
		header += fmt.Sprintf("\r\nX-Field-%d: some value of a usual length,\r\n\tfolded once", i)
	}
	line := "A line of ordinary text in a message, as people write them every day.\r\n"
	return sign(b, header+"\r\n\r\n"+strings.Repeat(line, max(1, (size-len(header))/len(line))), w.keys[0])
}

// BenchmarkVerifier is the whole pass, with answers of the DNS at once.
func BenchmarkVerifier(b *testing.B) {
	w := newWorld(b)
	for _, size := range []int{10 << 10, 1 << 20} {
		message := ordinary(b, w, size)
		v := &Verifier{Resolver: still{w.records}}
		b.Run(fmt.Sprintf("%dK", size>>10), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				if r, err := v.Verify(b.Context(), session, strings.NewReader(message)); err != nil || r.DMARC.Result != "pass" {
					b.Fatal(err, words(r))
				}
			}
		})
		b.Run(fmt.Sprintf("%dK/inspected", size>>10), func(b *testing.B) {
			in := quiet(still{w.records}, func(*Result) {})
			b.ReportAllocs()
			b.SetBytes(int64(len(message)))
			for b.Loop() {
				inspect(b, in, message)
			}
		})
	}
}

func BenchmarkAttacks(b *testing.B) {
	w := newWorld(b)
	for name, message := range attacks(b, w) {
		in := quiet(still{w.records}, func(*Result) {})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				inspect(b, in, message)
			}
		})
	}
}
