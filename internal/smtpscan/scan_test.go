package smtpscan

import (
	"strings"
	"testing"
)

// scanAll feeds wire in pieces whose lengths cuts gives, over and over, and
// returns the content, whether the end mark was met, what stood behind it, and
// whether the content had a fault.
func scanAll(wire string, dots bool, policy Policy, cuts []byte) (content string, end bool, rest string, fault bool) {
	s := New(dots, policy)
	var out strings.Builder
	var have []byte
	next := 0
	for i := 0; ; {
		p := Piece{}
		if len(have) > 0 {
			p = s.Next(have)
		}
		if p.Run+p.Drop == 0 && p.Insert == "" {
			if next == len(wire) {
				break
			}
			n := len(wire) - next
			if len(cuts) > 0 {
				n = min(n, 1+int(cuts[i%len(cuts)]))
				i++
			}
			have = append(have, wire[next:next+n]...)
			next += n
			continue
		}
		out.Write(have[:p.Run])
		out.WriteString(p.Insert)
		have = have[p.Run+p.Drop:]
		if p.End {
			return out.String(), true, string(have) + wire[next:], s.Fault
		}
	}
	if !dots {
		out.WriteString(s.Finish())
	}
	return out.String(), false, string(have), s.Fault
}

// naiveData is DATA by the book, octet by octet, for Preserve
// (RFC 5321 §4.5.2).
func naiveData(wire string) (content string, end bool, rest string) {
	var out []byte
	for i := 0; i < len(wire); i++ {
		if i == 0 || i >= 2 && wire[i-2:i] == "\r\n" {
			if strings.HasPrefix(wire[i:], ".\r\n") {
				return string(out), true, wire[i+3:]
			}
			if wire[i] == '.' {
				if i+1 == len(wire) || wire[i+1:] == "\r" {
					return string(out), false, wire[i:] // may be the start of an end mark
				}
				continue
			}
		}
		out = append(out, wire[i])
	}
	return string(out), false, ""
}

// hostileEnds are things around the final dot that other servers have taken
// for an end of DATA (SMTP smuggling), and one true end.
var hostileEnds = []string{
	"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n", "\r\r\n.\r\r\n",
	"\n\n.\r\n", "\n\r.\r\n", "\r\n.\x00\r\n", "\r\n\x00.\r\n", "\r\n.\r\x00\n", "\r\x00\n.\r\n", "\x00\r\n.\n",
	"\r\n.\r\x0b\n", "\r\n.\x0c\r\n", "\r\n\v.\r\n", "\r\n. \r\n", "\r\n .\r\n", "\r\n.\t\r\n", "\r\n..\r\n",
	"\u2028.\u2028", "\x85.\x85", "\r\n.\u00a0\r\n", "\r.\n", "\n.\r",
}

// Invariant I1: only CRLF "." CRLF ends DATA, in every policy and however the
// octets arrive.
func TestHostileEnds(t *testing.T) {
	for _, mark := range hostileEnds {
		inner := "a" + mark + "MAIL FROM:<x@y>\r\nDATA\r\nb"
		wire := inner + "\r\n.\r\nQUIT\r\n"
		for _, policy := range []Policy{Reject, Normalise, Preserve} {
			for _, cuts := range [][]byte{nil, {0}, {1}, {2, 0}} {
				content, end, rest, fault := scanAll(wire, true, policy, cuts)
				if !end || rest != "QUIT\r\n" {
					t.Errorf("%q, policy %d, cuts %v: end %v, rest %q", mark, policy, cuts, end, rest)
				}
				if !strings.Contains(content, "MAIL FROM:<x@y>\r\nDATA\r\nb\r\n") {
					t.Errorf("%q, policy %d: content %q", mark, policy, content)
				}
				bare := strings.ContainsAny(strings.ReplaceAll(inner, "\r\n", ""), "\r\n\x00")
				if policy == Reject && fault != bare {
					t.Errorf("%q: fault %v, want %v", mark, fault, bare)
				}
				if stripped := strings.ReplaceAll(content, "\r\n", ""); policy == Normalise && strings.ContainsAny(stripped, "\r\n") {
					t.Errorf("%q normalised to %q", mark, content)
				}
			}
		}
	}
}

// Lines of one length, and what hides between them where a line should end: a
// shorter line, an end mark, bare CRs and LFs, NUL.
func TestEvenLines(t *testing.T) {
	line := strings.Repeat("x", 10) + "\r\n"
	for _, odd := range []string{"", "ab\r\n", "abcd\r\nabcd\r\n", "abc\r\n.\r\nab\r\n", "abc\nabcdef\r\n", "abc\rabcdef\r\n", "abcdefghi\n\r\n", "abcdefghijk\n.\r\nxyz\r\n", "abcd\x00fghij\r\n", ".bcdefghij\r\n", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n"} {
		wire := strings.Repeat(line, 9) + odd + strings.Repeat(line, 9) + ".\r\nQUIT\r\n"
		want, wantEnd, wantRest := naiveData(wire)
		if got, end, rest, _ := scanAll(wire, true, Preserve, nil); got != want || end != wantEnd || rest != wantRest {
			t.Errorf("%q: %q %v %q, want %q %v %q", odd, got, end, rest, want, wantEnd, wantRest)
		}
		got, _, rest, fault := scanAll(wire, true, Reject, nil)
		if bare := strings.ContainsAny(strings.ReplaceAll(got, "\r\n", ""), "\r\n\x00"); fault != bare || rest != wantRest {
			t.Errorf("%q: fault %v, rest %q", odd, fault, rest)
		}
		if chunk, _, _, _ := scanAll(wire, false, Reject, nil); chunk != wire {
			t.Errorf("%q: the chunk became %q", odd, chunk)
		}
	}
}

// The scanner against the naive reader, with every way of cutting.
func FuzzScan(f *testing.F) {
	for _, mark := range hostileEnds {
		f.Add("a"+mark+"b\r\n.\r\nc", []byte{0, 3})
	}
	f.Add(".\r\nx", []byte{})
	f.Add("..\r\n.\r", []byte{0})
	f.Add(strings.Repeat("xyz\r\n", 6)+"x\r\n.\r\n"+strings.Repeat("xyz\r\n", 3)+".\r\nc", []byte{255})
	f.Fuzz(func(t *testing.T, wire string, cuts []byte) {
		want, wantEnd, wantRest := naiveData(wire)
		got, end, rest, _ := scanAll(wire, true, Preserve, cuts)
		if got != want || end != wantEnd || rest != wantRest {
			t.Fatalf("%q cut %v:\ngot  %q %v %q\nwant %q %v %q", wire, cuts, got, end, rest, want, wantEnd, wantRest)
		}
		whole, _, _, wholeFault := scanAll(wire, true, Reject, nil)
		pieces, end, rest, fault := scanAll(wire, true, Reject, cuts)
		if end != wantEnd || rest != wantRest {
			t.Fatalf("%q: the policy changed the end", wire)
		}
		bare := strings.ContainsAny(strings.ReplaceAll(whole, "\r\n", ""), "\r\n\x00")
		if end && (fault != bare || wholeFault != bare || whole != pieces) {
			t.Fatalf("%q cut %v: fault %v and %v, want %v", wire, cuts, fault, wholeFault, bare)
		}
		norm, end, rest, _ := scanAll(wire, true, Normalise, cuts)
		if end != wantEnd || rest != wantRest {
			t.Fatalf("%q: normalising changed the end: %v %q", wire, end, rest)
		}
		if end && strings.ContainsAny(strings.ReplaceAll(norm, "\r\n", ""), "\r\n") {
			t.Fatalf("%q normalised to %q", wire, norm)
		}
		chunk, _, _, _ := scanAll(wire, false, Normalise, cuts)
		if strings.ContainsAny(strings.ReplaceAll(chunk, "\r\n", ""), "\r\n") {
			t.Fatalf("chunk %q normalised to %q", wire, chunk)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	even := strings.Repeat(strings.Repeat("x", 76)+"\r\n", (32<<10)/78)
	var ragged strings.Builder
	for n := 1; ragged.Len() < 32<<10; n++ {
		ragged.WriteString(strings.Repeat("x", n*n*31%76) + "\r\n")
	}
	for name, policy := range map[string]Policy{"reject": Reject, "normalise": Normalise, "preserve": Preserve, "reject, ragged": Reject} {
		wire := []byte(even)
		if strings.HasSuffix(name, "ragged") {
			wire = []byte(ragged.String())
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(wire)))
			b.ReportAllocs()
			for b.Loop() {
				s := New(true, policy)
				for rest := wire; len(rest) > 0; {
					p := s.Next(rest)
					rest = rest[p.Run+p.Drop:]
				}
			}
		})
	}
}
