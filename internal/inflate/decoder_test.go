package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"
)

// texts are what is compressed here.
func texts() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	var mail, skewed, rare bytes.Buffer
	for i := range 1500 {
		fmt.Fprintf(&mail, "A%04d UID FETCH %d (FLAGS BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT)])\r\n", i, r.IntN(100_000))
	}
	for range 80_000 { // long codes: each symbol is half as often as the one before
		n := 0
		for n < 20 && r.IntN(2) == 0 {
			n++
		}
		skewed.WriteByte(byte(n * 7))
	}
	for range 4 {
		rare.Write(noise[:30_000])
	}
	return map[string][]byte{
		"nothing": nil, "one": {'x'}, "command": []byte("a NOOP\r\n"), "zeros": make([]byte, 70_000),
		"mail": mail.Bytes(), "noise": noise, "skewed": skewed.Bytes(), "far": rare.Bytes(),
		"pairs": bytes.Repeat([]byte("ab"), 35_000), "three": bytes.Repeat([]byte("abc"), 25_000),
	}
}

// streams are texts by all levels of compress/flate, with and without flushes.
func streams(t testing.TB, each func(name string, text, stream []byte)) {
	flushes := []int{0, 50, 4096, 70_000}
	if testing.Short() {
		flushes = flushes[:2]
	}
	for name, text := range texts() {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			if testing.Short() && level%3 != 0 {
				continue
			}
			for _, flush := range flushes {
				var out bytes.Buffer
				w, err := flate.NewWriter(&out, level)
				if err != nil {
					t.Fatal(err)
				}
				for rest := text; len(rest) > 0; {
					n := len(rest)
					if flush > 0 {
						n = min(n, flush)
					}
					w.Write(rest[:n])
					if rest = rest[n:]; flush > 0 && (flush > 50 || len(text)-len(rest) < 5000) {
						w.Flush()
					}
				}
				w.Close()
				each(fmt.Sprintf("%s/%d/%d", name, level, flush), text, out.Bytes())
			}
		}
	}
}

// reader reads in pieces of step octets.
type reader struct {
	d    Decoder
	in   []byte
	step int
}

func (r *reader) Read(p []byte) (int, error) {
	for {
		n, taken, err := r.d.Decode(p, r.in[:min(r.step, len(r.in))])
		r.in = r.in[taken:]
		if n > 0 || err != nil {
			return n, err
		}
		if len(r.in) == 0 {
			return 0, io.ErrUnexpectedEOF
		}
	}
}

// What compress/flate writes comes back, however it is cut.
func TestRoundTrip(t *testing.T) {
	streams(t, func(name string, text, stream []byte) {
		for _, step := range []int{1, 7, 300, 1 << 30} {
			for _, room := range []int{1, 5, 300, 40_000} {
				if testing.Short() && (step == 7 || room == 5) || room < 40_000 && len(text) > 1000 && step != 300 {
					continue
				}
				r := &reader{in: append(stream[:len(stream):len(stream)], "behind"...), step: step}
				got, buf := make([]byte, 0, len(text)), make([]byte, room)
				var err error
				for err == nil {
					var n int
					n, err = r.Read(buf)
					got = append(got, buf[:n]...)
				}
				if err != io.EOF || !bytes.Equal(got, text) || !r.d.Ended() {
					t.Fatalf("%s in steps of %d and %d: %d of %d octets, %v", name, step, room, len(got), len(text), err)
				}
				if string(r.in) != "behind" {
					t.Fatalf("%s in steps of %d and %d: %q is left behind the end", name, step, room, r.in)
				}
			}
		}
	})
}

// check holds the Decoder against the model, with all that it promises about in.
func check(t *testing.T, in []byte) {
	t.Helper()
	m := &model{in: in}
	want := m.inflate()
	// I1: octet by octet, and in one piece.
	checkPrompt(t, m, want)
	// I2: with room for one octet, nothing is taken that it does not need.
	var d Decoder
	defer d.Reset()
	taken, one := 0, make([]byte, 1)
	for k := 0; ; {
		n, i, err := d.Decode(one, in[taken:])
		taken += i
		if n == 0 && (taken == len(in) || err != nil) {
			if err != nil && (err == io.EOF) != (want == nil) {
				t.Fatalf("%x: %v, want %v", in, err, want)
			}
			break
		}
		if k += n; n == 1 && taken > (m.when[k-1]+7)/8 {
			t.Fatalf("%x: %d octets are taken to know %d, which %d bits tell", in, taken, k, m.when[k-1])
		}
	}
	if want == nil && taken != (m.bit+7)/8 {
		t.Fatalf("%x: %d octets taken, the stream ends with bit %d", in, taken, m.bit)
	}
	// I3 and compress/flate.
	got, err := io.ReadAll(flate.NewReader(bytes.NewReader(in)))
	if (err == nil) != (want == nil) || err == nil && !bytes.Equal(got, m.out) {
		t.Fatalf("%x: compress/flate has %d octets, %v, the model %d, %v", in, len(got), err, len(m.out), want)
	}
}

func checkPrompt(t *testing.T, m *model, want error) {
	t.Helper()
	for _, step := range []int{1, 3, 1 << 30} {
		var d Decoder
		defer d.Reset()
		got, buf := []byte(nil), make([]byte, 400)
		known, same := 0, 0
		for at := 0; at < len(m.in); {
			to := min(len(m.in), at+step)
			var err error
			for n, i := 1, 0; (n > 0 || at < to) && err == nil; {
				n, i, err = d.Decode(buf, m.in[at:to])
				got, at = append(got, buf[:n]...), at+i
			}
			for known < len(m.out) && m.when[known] <= 8*to {
				known++
			}
			if len(got) != known || !bytes.Equal(got[same:], m.out[same:known]) {
				t.Fatalf("%x: %d octets handed out after %d, want %d", m.in, len(got), to, known)
			}
			if err != nil {
				if err == io.EOF && want == nil || errors.Is(err, ErrCorrupt) && want == errModel {
					break
				}
				t.Fatalf("%x: %v, want %v", m.in, err, want)
			}
			if same = known; at < to {
				t.Fatalf("%x: %d of %d octets taken", m.in, at, to)
			}
		}
		if len(got) != len(m.out) {
			t.Fatalf("%x: %d octets, want %d", m.in, len(got), len(m.out))
		}
	}
}

// The promises hold for what compressors write, and for all its beginnings.
func TestPrompt(t *testing.T) {
	streams(t, func(name string, text, stream []byte) {
		if len(text) < 1000 || strings.HasSuffix(name, "/50") {
			check(t, stream[:min(len(stream), 3000)])
		}
	})
}

// TestBad are streams that zlib refuses, and some that it just takes.
func TestBad(t *testing.T) {
	for name, c := range map[string]struct {
		bits string // in the order of the stream
		err  error
	}{
		"type 3":                       {"0 11", ErrCorrupt},
		"stored":                       {"1 00 00000 1000000000000000 0111111111111111 10000110", nil},
		"complement":                   {"1 00 00000 1000000000000000 1111111111111111 10000110", ErrCorrupt},
		"empty fixed":                  {"1 10 0000000", nil},
		"fixed symbol 286":             {"1 10 11000110", ErrCorrupt},
		"fixed distance 30":            {"1 10 00110000 0000001 11110", ErrCorrupt},
		"nothing to refer to":          {"1 10 0000001 00000", ErrCorrupt},
		"one back":                     {"1 10 00110000 0000001 00000 0000000", nil},
		"two back":                     {"1 10 00110000 0000001 00001 0000000", ErrCorrupt},
		"287 literals":                 {"1 01 01111 00000 0000", ErrCorrupt},
		"31 distances":                 {"1 01 00000 01111 0000", ErrCorrupt},
		"no code lengths":              {"1 01 00000 00000 0000 000000000000", ErrCorrupt},
		"one code length":              {"1 01 00000 00000 0000 000 000 100 000", ErrCorrupt},
		"too many code lengths":        {"1 01 00000 00000 0000 100 100 100 000", ErrCorrupt},
		"nothing to repeat":            {"1 01 00000 00000 0000 100 000 100 000 0 00", ErrCorrupt},
		"repeats too much":             {"1 01 00000 00000 0000 000 000 100 100 1 1111111 1 1111111", ErrCorrupt},
		"no end":                       {"1 01 00000 00000 0000 000 000 100 100 1 1111111 1 0010111", ErrCorrupt},
		"no end behind literals":       {"1 01 00000 00000 0111 000 000 100 " + strings.Repeat("000 ", 14) + "100 0 0 1 1111111 1 0101011 0 0101", ErrCorrupt},
		"one literal of one bit":       {oneSymbol("1") + "0", nil},
		"the other":                    {oneSymbol("1") + "1", ErrCorrupt},
		"one literal of two bits":      {oneSymbol("01"), ErrCorrupt},
		"a distance that is not there": {noDistance + "1 0", ErrCorrupt},
	} {
		t.Run(name, func(t *testing.T) {
			var in []byte
			for i, b := range []byte(strings.ReplaceAll(c.bits, " ", "")) {
				if i%8 == 0 {
					in = append(in, 0)
				}
				in[i/8] |= (b - '0') << (i % 8)
			}
			check(t, in)
			_, err := io.ReadAll(&reader{in: in, step: 1})
			if c.err == nil && err != nil || !errors.Is(err, c.err) {
				t.Errorf("%v, want %v", err, c.err)
			}
		})
	}
}

// oneSymbol is a block whose only code is that of the end. The lengths of codes
// are written with 18: 0; 1: 10; 2: 11.
func oneSymbol(end string) string {
	length := map[string]string{"1": "10", "01": "11"}[end]
	return "1 01 00000 00000 1111 " + // 257, 1, 19
		"000 000 100 000 000 000 000 000 000 000 000 000 000 000 000 010 000 010 000 " +
		"0 1111111 0 1101011 " + length + // 138 and 118 zeros
		length // of the distance
}

// noDistance is a block with a code for the end and one for a length, and none
// for distances.
const noDistance = "1 01 10000 00000 0111 " + // 258, 1, 18
	"000 000 010 100 000 000 000 000 000 000 000 000 000 000 000 000 000 010 " +
	"11 1111111 11 1101011 10 10 0 "

// A stream that is corrupt stays so, and what came before is handed out.
func TestCorruptStays(t *testing.T) {
	var d Decoder
	in := []byte{0, 1, 0, 0xfe, 0xff, 'x', 6}
	buf := make([]byte, 10)
	n, taken, err := d.Decode(buf, in)
	if n != 1 || taken != len(in) || err != nil {
		t.Fatal(n, taken, err)
	}
	for range 2 {
		if n, taken, err = d.Decode(buf, in); n != 0 || taken != 0 || !errors.Is(err, ErrCorrupt) {
			t.Fatal(n, taken, err)
		}
	}
	d.Reset()
	if n, _, err = d.Decode(buf, in); n != 1 || err != nil {
		t.Fatal(n, err)
	}
}

// What a decoder holds grows with what it has handed out, up to the window, and
// goes back.
func TestMemory(t *testing.T) {
	var before, after runtime.MemStats
	text := texts()["mail"]
	var out bytes.Buffer
	w, _ := flate.NewWriter(&out, 6)
	w.Write(text[:400])
	w.Flush()
	short := out.Len()
	w.Write(text)
	w.Close()
	var d Decoder
	buf := make([]byte, 500)
	d.Decode(buf, out.Bytes()[:short])
	if cap(d.window.buf) != leastWindow || d.tables != nil {
		t.Errorf("%d octets of window, tables %v", cap(d.window.buf), d.tables != nil)
	}
	runtime.ReadMemStats(&before)
	for in := out.Bytes()[short:]; ; {
		_, taken, err := d.Decode(buf, in)
		if in = in[taken:]; err != nil {
			break
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 3*windowSize {
		t.Errorf("%d octets allocated", n)
	}
	if cap(d.window.buf) != windowSize {
		t.Errorf("%d octets of window", cap(d.window.buf))
	}
	if n := cap(d.window.buf) + int(unsafe.Sizeof(tables{})); n > MaxMemory {
		t.Errorf("%d octets at most, more than MaxMemory", n)
	}
	d.Reset()
	if d.window.buf != nil || d.tables != nil {
		t.Error("Reset holds memory")
	}
}

// Nothing is allocated for a stream but the window and tables, once.
func TestAllocations(t *testing.T) {
	stream := compressed(t, texts()["mail"], 6)
	buf := make([]byte, 32<<10)
	run := func() {
		var d Decoder
		for in := stream; ; {
			_, taken, err := d.Decode(buf, in)
			if in = in[taken:]; err != nil {
				break
			}
		}
		d.Reset()
	}
	run()
	if n := testing.AllocsPerRun(20, run); n > 3 {
		t.Errorf("%v allocations", n)
	}
}

func compressed(t testing.TB, text []byte, level int) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	w.Close()
	return out.Bytes()
}

// zlib has flushes that Go has not. Its streams are written by Python, text by
// text, each behind its length.
const zlibScript = `
import sys, zlib
texts = [b"a NOOP\r\n", b"b SELECT INBOX\r\nc IDLE\r\n", b"DONE\r\n", b"d UID FETCH 1:* (FLAGS)\r\n" * 20, b"\xff\xfe\xfd", b"x"] * 40
for level in range(0, 10):
  for strategy in (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE):
    for flush in (zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_BLOCK):
      c = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
      for text in texts:
        packed = c.compress(text) + c.flush(flush)
        for part in (text, packed):
          sys.stdout.buffer.write(len(part).to_bytes(4, "big") + part)
      packed = c.flush()
      sys.stdout.buffer.write(b"\xff\xff\xff\xff" + len(packed).to_bytes(4, "big") + packed)
`

// TestZlib: what zlib has flushed, in whatever way, is there; and a stream whose
// last octet is a flush point says so. (Z_BLOCK flushes whole blocks but may keep
// bits of them back: there it is the model that says what has to be there.)
func TestZlib(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("MAILSTEAD_PEERS") == "required" {
			t.Fatal(err)
		}
		t.Skip("no python3, whose zlib is the peer here")
	}
	out, err := exec.Command(python, "-c", zlibScript).Output()
	if err != nil {
		t.Fatal(err)
	}
	part := func() []byte {
		n := uint32(out[0])<<24 | uint32(out[1])<<16 | uint32(out[2])<<8 | uint32(out[3])
		out = out[4:]
		if n == 0xffffffff {
			return nil
		}
		p := out[:n]
		out = out[n:]
		return p
	}
	buf := make([]byte, 4096)
	for config := 0; len(out) > 0; config++ {
		var d Decoder
		var stream, got, want []byte
		feed := func(packed []byte) {
			stream = append(stream, packed...)
			for {
				n, taken, err := d.Decode(buf, packed)
				got, packed = append(got, buf[:n]...), packed[taken:]
				if n == 0 && len(packed) == 0 || err != nil {
					return
				}
			}
		}
		for {
			text := part()
			packed := part()
			if want = append(want, text...); text == nil {
				feed(packed)
				break
			}
			feed(packed)
			switch kind := config % 4; {
			case kind != 3 && !bytes.Equal(got, want):
				t.Fatalf("configuration %d: %d octets after a flush, want %d", config, len(got), len(want))
			case kind != 3 && !d.Flushed():
				t.Fatalf("configuration %d: not at a flush point after %x", config, stream)
			case kind == 3 && !bytes.HasPrefix(want, got):
				t.Fatalf("configuration %d: other octets", config)
			}
		}
		if !bytes.Equal(got, want) || !d.Ended() {
			t.Fatalf("configuration %d: %d octets at the end, want %d", config, len(got), len(want))
		}
		if config%4 == 3 || config%11 == 0 {
			check(t, stream[:min(len(stream), 2000)])
		}
	}
}

// FuzzDecoder holds the Decoder against the model and compress/flate.
func FuzzDecoder(f *testing.F) {
	for _, text := range []string{"", "a NOOP\r\n", strings.Repeat("b UID FETCH 1:* (FLAGS)\r\n", 9), "\x00\xff\x80"} {
		for _, level := range []int{flate.HuffmanOnly, 0, 1, 6, 9} {
			f.Add(compressed(f, []byte(text), level))
		}
	}
	skewed := texts()["skewed"]
	f.Add(compressed(f, skewed[:3000], flate.HuffmanOnly))
	f.Add(compressed(f, skewed[:3000], 9))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) <= 2000 {
			check(t, in)
		}
	})
}

func BenchmarkDecoder(b *testing.B) {
	buf := make([]byte, 32<<10)
	for _, name := range []string{"mail", "noise", "skewed", "far", "zeros"} {
		text := texts()[name]
		for len(text) < 1<<20 {
			text = append(text, text...)
		}
		stream := compressed(b, text, 6)
		run := func(name string, read func() error) {
			b.Run(name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if err := read(); err != io.EOF {
						b.Fatal(err)
					}
				}
			})
		}
		var d Decoder
		run(name+"/this", func() error {
			d.Reset()
			for in := stream; ; {
				_, taken, err := d.Decode(buf, in)
				if in = in[taken:]; err != nil {
					return err
				}
			}
		})
		r := flate.NewReader(bytes.NewReader(nil))
		src := bytes.NewReader(nil)
		run(name+"/std", func() error {
			src.Reset(stream)
			r.(flate.Resetter).Reset(src, nil)
			for {
				if _, err := r.Read(buf); err != nil {
					return err
				}
			}
		})
	}
}
