package proxyproto_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/proxyproto"
)

const sig = "\r\n\r\n\x00\r\nQUIT\n"

// v2 builds a header of version 2, one octet after the other.
func v2(cmd, family byte, rest string) string {
	return sig + string([]byte{cmd, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

func tlv(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

// summed adds the TLV of the checksum.
func summed(cmd, family byte, rest string) string {
	h := []byte(v2(cmd, family, rest+tlv(3, "\x00\x00\x00\x00")))
	sum := crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(h[len(h)-4:], sum)
	return string(h)
}

const (
	four = "\xc0\x00\x02\x01\xc0\x00\x02\x02\xdc\x04\x00\x19"
	six  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\xdc\x04\x00\x19"
)

var tests = []struct {
	name, in string
	want     string // "source dest"; "" = the ends of the connection
	ok       bool
}{
	{"v1 IPv4", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n", "192.0.2.1:56324 192.0.2.2:25", true},
	{"v1 IPv6", "PROXY TCP6 2001:DB8::1 2001:db8::2 56324 25\r\n", "[2001:db8::1]:56324 [2001:db8::2]:25", true},
	{"v1 unknown", "PROXY UNKNOWN\r\n", "", true},
	{"v1 unknown with more", "PROXY UNKNOWN ffff::1 x y z q\r\n", "", true},
	{"v2 IPv4", v2(0x21, 0x11, four), "192.0.2.1:56324 192.0.2.2:25", true},
	{"v2 IPv6", v2(0x21, 0x21, six), "[2001:db8::1]:56324 [2001:db8::2]:25", true},
	{"v2 with TLVs", v2(0x21, 0x11, four+tlv(1, "smtp")+tlv(4, "")), "192.0.2.1:56324 192.0.2.2:25", true},
	{"v2 with its checksum", summed(0x21, 0x11, four+tlv(4, "pad")), "192.0.2.1:56324 192.0.2.2:25", true},
	{"v2 local", v2(0x20, 0x00, ""), "", true},
	{"v2 local with addresses", v2(0x20, 0x11, four), "", true},
	{"v2 local of any family", v2(0x20, 0xff, "any octets"), "", true},
	{"v2 unspecified", v2(0x21, 0x00, "any octets"), "", true},
	{"v2 UDP", v2(0x21, 0x12, four), "", true},
	{"v2 UNIX", v2(0x21, 0x31, strings.Repeat("\x00", 216)), "", true},

	{"no header", "EHLO client\r\n", "", false},
	{"v1 in lower case", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "", false},
	{"v1 with LF", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\n", "", false},
	{"v1 with a CR inside", "PROXY UNKNOWN \r \r\n", "", false},
	{"v1 of two spaces", "PROXY  TCP4 192.0.2.1 192.0.2.2 56324 25\r\n", "", false},
	{"v1 without ports", "PROXY TCP4 192.0.2.1 192.0.2.2\r\n", "", false},
	{"v1 of another family", "PROXY TCP4 2001:db8::1 2001:db8::2 56324 25\r\n", "", false},
	{"v1 of no family", "PROXY UDP4 192.0.2.1 192.0.2.2 56324 25\r\n", "", false},
	{"v1 with octal", "PROXY TCP4 192.0.2.01 192.0.2.2 56324 25\r\n", "", false},
	{"v1 with a zone", "PROXY TCP6 fe80::1%a fe80::2 56324 25\r\n", "", false},
	{"v1 with a large port", "PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n", "", false},
	{"v1 with a port in octal", "PROXY TCP4 192.0.2.1 192.0.2.2 0025 25\r\n", "", false},
	{"v1 with a signed port", "PROXY TCP4 192.0.2.1 192.0.2.2 +25 25\r\n", "", false},
	{"v1 without end", "PROXY UNKNOWN " + strings.Repeat("x", 100), "", false},
	{"v2 of version 1", v2(0x11, 0x11, four), "", false},
	{"v2 of no command", v2(0x22, 0x11, four), "", false},
	{"v2 of no family", v2(0x21, 0x41, four), "", false},
	{"v2 of no protocol", v2(0x21, 0x13, four), "", false},
	{"v2 cut off", v2(0x21, 0x11, four[:11]), "", false},
	{"v2 with half a TLV", v2(0x21, 0x11, four+"\x04\x00"), "", false},
	{"v2 with a TLV that is too long", v2(0x21, 0x11, four+"\x04\x00\x05abc"), "", false},
	{"v2 with a wrong checksum", v2(0x21, 0x11, four+tlv(3, "abcd")), "", false},
	{"v2 with a short checksum", v2(0x21, 0x11, four+tlv(3, "abc")), "", false},
	{"v2 too long", v2(0x21, 0x11, four+tlv(4, strings.Repeat("x", 4096))), "", false},
}

func text(h proxyproto.Header) string {
	if !h.Source.IsValid() && !h.Dest.IsValid() {
		return ""
	}
	return h.Source.String() + " " + h.Dest.String()
}

func TestConsume(t *testing.T) {
	for _, tt := range tests {
		h, n, err := proxyproto.Consume([]byte(tt.in + "EHLO"))
		if !tt.ok {
			if !errors.Is(err, proxyproto.ErrHeader) {
				t.Errorf("%s: %+v, %v", tt.name, h, err)
			}
			continue
		}
		if err != nil || n != len(tt.in) || text(h) != tt.want {
			t.Errorf("%s: %q, %d of %d octets, %v; want %q", tt.name, text(h), n, len(tt.in), err, tt.want)
		}
		for i := range len(tt.in) {
			if _, _, err := proxyproto.Consume([]byte(tt.in[:i])); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, cut at %d: %v", tt.name, i, err)
			}
		}
	}
}

// naive reads a header of version 2 from a stream, field by field, and knows
// only what the text of the protocol says.
func naive(r io.Reader) (h proxyproto.Header, err error) {
	var fixed [16]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return h, err
	}
	bad := errors.New("bad")
	if string(fixed[:12]) != sig || fixed[12]&0xf0 != 0x20 || fixed[12]&15 > 1 {
		return h, bad
	}
	local := fixed[12] == 0x20
	if !local && (fixed[13]>>4 > 3 || fixed[13]&15 > 2) {
		return h, bad
	}
	size := int(fixed[14])<<8 + int(fixed[15])
	if size+16 > proxyproto.MaxHeader {
		return h, bad
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return h, io.ErrUnexpectedEOF
	}
	if local || fixed[13] == 0 {
		return h, nil
	}
	need := []int{0, 12, 36, 216}[fixed[13]>>4]
	if len(body) < need {
		return h, bad
	}
	addrs, rest := body[:need], body[need:]
	for len(rest) > 0 {
		if len(rest) < 3 || len(rest) < 3+int(rest[1])<<8+int(rest[2]) {
			return h, bad
		}
		n := 3 + int(rest[1])<<8 + int(rest[2])
		if rest[0] == 3 {
			if n != 7 {
				return h, bad
			}
			got := binary.BigEndian.Uint32(rest[3:])
			before := len(fixed) + len(body) - len(rest)
			zeroed := append(fixed[:], body...)
			copy(zeroed[before+3:], "\x00\x00\x00\x00")
			if got != crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli)) {
				return h, bad
			}
		}
		rest = rest[n:]
	}
	if fixed[13]&15 != 1 || fixed[13]>>4 == 0 || fixed[13]>>4 == 3 {
		return h, nil
	}
	half := (need - 4) / 2
	end := func(addr, port []byte) netip.AddrPort {
		a, _ := netip.AddrFromSlice(addr)
		return netip.AddrPortFrom(a.Unmap(), uint16(port[0])<<8|uint16(port[1]))
	}
	h.Source = end(addrs[:half], addrs[2*half:])
	h.Dest = end(addrs[half:2*half], addrs[2*half+2:])
	return h, nil
}

// FuzzV2 holds Consume against the naive reader.
func FuzzV2(f *testing.F) {
	for _, tt := range tests {
		if strings.HasPrefix(tt.in, sig) {
			f.Add(tt.in[12:])
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		in := sig + s
		got, n, err := proxyproto.Consume([]byte(in))
		r := strings.NewReader(in)
		want, wantErr := naive(r)
		more := errors.Is(wantErr, io.ErrUnexpectedEOF) || errors.Is(wantErr, io.EOF)
		if (err == nil) != (wantErr == nil) || errors.Is(err, io.ErrUnexpectedEOF) != more {
			t.Fatalf("%q: %v, want %v", in, err, wantErr)
		}
		if err == nil && (got != want || n != len(in)-r.Len()) {
			t.Fatalf("%q: %+v and %d octets, want %+v and %d", in, got, n, want, len(in)-r.Len())
		}
	})
}

// FuzzV1: what is built from any addresses is read as them, and what is read
// is built to the same.
func FuzzV1(f *testing.F) {
	f.Add("PROXY TCP4 192.0.2.1 192.0.2.2 56324 25\r\n")
	f.Add("PROXY TCP6 ::1 ::2 0 65535\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		h, n, err := proxyproto.Consume([]byte(s))
		if err != nil || !strings.HasPrefix(s, "PROXY ") || !h.Source.IsValid() {
			return
		}
		fields := strings.Fields(s[:n])
		again := fmt.Sprintf("PROXY %s %s %s %d %d\r\n", fields[1], fields[2], fields[3], h.Source.Port(), h.Dest.Port())
		a, errA := netip.ParseAddr(fields[2])
		b, errB := netip.ParseAddr(fields[3])
		if again != s[:n] || errA != nil || errB != nil || a.Unmap() != h.Source.Addr() || b.Unmap() != h.Dest.Addr() {
			t.Fatalf("%q: %+v", s[:n], h)
		}
	})
}
