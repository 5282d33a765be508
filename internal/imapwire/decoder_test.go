package imapwire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// replay runs a small server loop over the input and returns a transcript: what
// each command was, or how it failed. Commands are a tag, a word, and then
// astrings, lists and, for the word APPEND, a streamed literal at the end.
func replay(r io.Reader, cfg Config) string {
	var out strings.Builder
	cfg.Continue = func() error { out.WriteString("+ "); return nil }
	if cfg.OnLiteral == nil {
		cfg.OnLiteral = func(l Literal, _ bool) error {
			if l.Size > 100 {
				return &TooBigError{Size: l.Size, Limit: 100}
			}
			return nil
		}
	}
	d := NewDecoder(r, cfg)
	for {
		if err := d.Begin(); err != nil {
			if !note(&out, err) {
				return out.String()
			}
		} else if err := command(d, &out); err != nil && !note(&out, err) {
			return out.String()
		}
		if err := d.Discard(); err != nil {
			note(&out, err)
			return out.String()
		}
		out.WriteString("|")
	}
}

// note writes an error and reports whether the dialogue goes on.
func note(out *strings.Builder, err error) bool {
	var se *SyntaxError
	var big *TooBigError
	switch {
	case errors.As(err, &se):
		fmt.Fprintf(out, "BAD@%d", se.Pos)
		return true
	case errors.As(err, &big):
		fmt.Fprintf(out, "NO(%d>%d)", big.Size, big.Limit)
		return true
	case errors.Is(err, ErrDesync):
		out.WriteString("BYE")
	case err == io.EOF:
		out.WriteString("EOF")
	case err == io.ErrUnexpectedEOF:
		out.WriteString("CUT")
	default:
		fmt.Fprintf(out, "?%v", err)
	}
	return false
}

func command(d *Decoder, out *strings.Builder) error {
	tag, err := d.Tag()
	if err != nil {
		return err
	}
	if err := d.SP(); err != nil {
		return err
	}
	word, err := d.Word()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s %s", tag, word)
	for !d.AtEnd() {
		if err := d.SP(); err != nil {
			return err
		}
		if word == "APPEND" && (d.Peek() == '{' || d.Peek() == '~') {
			_, r, err := d.Stream()
			if err != nil {
				return err
			}
			b, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, " stream:%q", b)
			continue
		}
		if err := argument(d, out); err != nil {
			return err
		}
	}
	return d.End()
}

func argument(d *Decoder, out *strings.Builder) error {
	if d.Peek() == '(' {
		out.WriteString(" (")
		err := d.List(func() error { return argument(d, out) })
		out.WriteString(")")
		return err
	}
	s, err := d.AString()
	if err == nil {
		fmt.Fprintf(out, " %q", s)
	}
	return err
}

var dialogues = []struct{ name, in, want string }{
	{"simple", "a NOOP\r\nb noop\r\n", `a NOOP|b NOOP|EOF`},
	{"arguments", "a LOGIN joe \"p w\"\r\n", `a LOGIN "joe" "p w"|EOF`},
	{"list", "a X (b (c \"d\") ())\r\n", `a X ( "b" ( "c" "d") ())|EOF`},
	{"sync literal", "a LOGIN {3}\r\njoe {2}\r\npw\r\n", `a LOGIN+  "joe"+  "pw"|EOF`},
	{"nonsync literal", "a LOGIN {3+}\r\njoe {2+}\r\npw\r\n", `a LOGIN "joe" "pw"|EOF`},
	{"literal holds a command", "a X {10+}\r\nb NOOP\r\nxx\r\nc NOOP\r\n", `a X "b NOOP\r\nxx"|c NOOP|EOF`},
	{"literal8", "a X ~{2+}\r\n\x00a\r\n", `a X "\x00a"|EOF`},
	{"NUL in literal", "a X {2+}\r\n\x00a {3+}\r\nabc\r\nb NOOP\r\n", `a XBAD@10|b NOOP|EOF`},
	{"stream", "a APPEND x {5}\r\nhello\r\n", `a APPEND "x"+  stream:"hello"|EOF`},
	{"multiappend", "a APPEND x {2+}\r\nhe {1+}\r\na\r\n", `a APPEND "x" stream:"he" stream:"a"|EOF`},
	{"too big, sync: no octets follow", "a APPEND x {101}\r\nb NOOP\r\n", `a APPEND "x"NO(101>100)|b NOOP|EOF`},
	{"too big, nonsync: octets follow", "a APPEND x {101+}\r\n" + strings.Repeat("\n", 101) + " y\r\nb NOOP\r\n", `a APPEND "x"NO(101>100)|b NOOP|EOF`},
	{"too big for memory", "a X {101+}\r\n" + strings.Repeat("\n", 101) + "\r\nb NOOP\r\n", `a XNO(101>100)|b NOOP|EOF`},
	{"too big to discard", "a X {9999999+}\r\n", `a XNO(9999999>256)BYE`},
	{"unreadable size", "a X {99999999999999999999+}\r\n", `a XBAD@23BYE`},
	{"unreadable sync size", "a X {99999999999999999999}\r\nb NOOP\r\n", `a XBAD@23|b NOOP|EOF`},
	{"error before a literal", "a ( {6+}\r\nb X\r\nc d\r\ne NOOP\r\n", `BAD@2|e NOOP|EOF`},
	{"error before a sync literal", "a ( {6}\r\ne NOOP\r\n", `BAD@2|e NOOP|EOF`},
	{"error then two literals", "a ( {1+}\r\nx {2+}\r\nyyz\r\ne NOOP\r\n", `BAD@2|e NOOP|EOF`},
	{"error then nonsync then sync", "a ( {1+}\r\nx {2}\r\ne NOOP\r\n", `BAD@2|e NOOP|EOF`},
	{"bare LF", "a NOOP\nb NOOP\r\n", `a NOOPBAD@6|b NOOP|EOF`},
	{"bare CR", "a NO\rOP\r\nb NOOP\r\n", `a NOBAD@4|b NOOP|EOF`},
	{"NUL", "a \x00NOOP\r\nb NOOP\r\n", `BAD@2|b NOOP|EOF`},
	{"empty line", "\r\nb NOOP\r\n", `BAD@0|b NOOP|EOF`},
	{"unclosed list", "a X (b\r\nb NOOP\r\n", `a X ( "b")BAD@6|b NOOP|EOF`},
	{"unclosed quote", "a X \"b\r\nb NOOP\r\n", `a XBAD@6|b NOOP|EOF`},
	{"nesting", "a X " + strings.Repeat("(", 65) + "\r\nb NOOP\r\n", "a X" + strings.Repeat(" (", 65) + strings.Repeat(")", 65) + `BAD@68|b NOOP|EOF`},
	{"long line", "a X " + strings.Repeat("y", 300) + "\r\nb NOOP\r\n", `BAD@200|b NOOP|EOF`},
	{"long line with literal", "a X " + strings.Repeat("y", 300) + " {3+}\r\nxxx\r\nb NOOP\r\n", `BAD@200|b NOOP|EOF`},
	{"long by many lines", "a X" + strings.Repeat(" {1+}\r\ny", 40) + "\r\nb NOOP\r\n", "a X" + strings.Repeat(` "y"`, 28) + `BAD@200|b NOOP|EOF`},
	{
		"memory of one command", "a X" + strings.Repeat(" {90+}\r\n"+strings.Repeat("y", 90), 3) + "\r\nb NOOP\r\n",
		"a X" + strings.Repeat(` "`+strings.Repeat("y", 90)+`"`, 2) + `NO(90>76)|b NOOP|EOF`,
	},
	{"cut in a line", "a NO", `CUT`},
	{"cut in a literal", "a X {5+}\r\nab", `a XCUT`},
	{"cut in a stream", "a APPEND {5+}\r\nab", `a APPENDCUT`},
	{"missing space after literal", "a X {1+}\r\nab\r\nb NOOP\r\n", `a X "a"BAD@10|b NOOP|EOF`},
}

func TestDecoder(t *testing.T) {
	cfg := Config{MaxLine: 200, MaxMemory: 256, MaxDiscard: 1000}
	for _, tt := range dialogues {
		t.Run(tt.name, func(t *testing.T) {
			for mode, r := range map[string]io.Reader{
				"whole":         strings.NewReader(tt.in),
				"byte by byte":  iotest.OneByteReader(strings.NewReader(tt.in)),
				"data with err": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				if got := replay(r, cfg); got != tt.want {
					t.Errorf("%s:\n got %s\nwant %s", mode, got, tt.want)
				}
			}
		})
	}
}

func TestDecoderBareLFQuirk(t *testing.T) {
	in := "a LOGIN {3}\njoe pw\nb NOOP\n"
	want := `a LOGIN+  "joe" "pw"|b NOOP|EOF`
	if got := replay(strings.NewReader(in), Config{Quirks: QuirkBareLF}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// FuzzDecoder: the way in which input arrives changes nothing, and the Decoder
// never stays where it is.
func FuzzDecoder(f *testing.F) {
	for _, tt := range dialogues {
		f.Add([]byte(tt.in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		cfg := Config{MaxLine: 200, MaxMemory: 256, MaxDiscard: 1000}
		whole := replay(bytes.NewReader(in), cfg)
		single := replay(iotest.OneByteReader(bytes.NewReader(in)), cfg)
		if whole != single {
			t.Fatalf("input %q\nwhole %s\nsingle %s", in, whole, single)
		}
	})
}

// limited counts what is read and fails the test when more is asked for than
// may be sent.
type limited struct {
	t    *testing.T
	data string
}

func (l *limited) Read(p []byte) (int, error) {
	if l.data == "" {
		l.t.Error("read although the peer promised nothing")
		return 0, io.EOF
	}
	n := copy(p, l.data)
	l.data = l.data[n:]
	return n, nil
}

func TestDecoderNeverReadsBeyondAPromise(t *testing.T) {
	r := &limited{t: t, data: "a APPEND x {3}\r\n"}
	d := NewDecoder(r, Config{
		OnLiteral: func(Literal, bool) error { return nil },
		Continue:  func() error { r.data = "abc"; return nil },
	})
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() (string, error){d.Tag, sp(d), d.Word, sp(d), d.AString, sp(d)} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	_, lit, err := d.Stream()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(lit); string(b) != "abc" || err != nil {
		t.Fatalf("%q, %v", b, err)
	}
	r.data = "\r\n"
	if err := d.End(); err != nil {
		t.Fatal(err)
	}
	if n, err := lit.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("a reader of an ended command gives %d, %v", n, err)
	}

	r.data = "a X {999999}\r\n"
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(); err != nil {
		t.Fatal(err) // reads nothing: the peer waits for a continuation
	}
}

func sp(d *Decoder) func() (string, error) {
	return func() (string, error) { return "", d.SP() }
}

func TestDecoderParkedHoldsNoBuffer(t *testing.T) {
	pr, pw := io.Pipe()
	d := NewDecoder(pr, Config{})
	step := make(chan error)
	go func() {
		_, err := io.WriteString(pw, "a NOOP\r\n")
		step <- err
		_, err = io.WriteString(pw, "DONE\r\n")
		step <- err
	}()
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	<-step
	var out strings.Builder
	if err := command(d, &out); err != nil {
		t.Fatal(err)
	}
	if err := d.Wait(); err != nil {
		t.Fatal(err)
	}
	if d.buf != nil || d.pool != nil {
		t.Error("the buffer was held while the connection was idle")
	}
	<-step
	if got := string(d.Buffered()); got != "DONE\r\n" {
		t.Errorf("buffered %q", got)
	}
	if line, err := d.ReadLine(); string(line) != "DONE" || err != nil {
		t.Errorf("line %q, %v", line, err)
	}
	if len(d.Buffered()) > 0 {
		t.Error("input is left")
	}
}

func TestDecoderLiteralMemoryFollowsArrival(t *testing.T) {
	const announced = 200 << 20
	in := fmt.Sprintf("a X {%d+}\r\nabc", announced)
	allocs := testing.AllocsPerRun(1, func() {
		got := replay(strings.NewReader(in), Config{MaxMemory: -1, OnLiteral: func(Literal, bool) error { return nil }})
		if got != "a XCUT" {
			t.Errorf("got %s", got)
		}
	})
	if allocs > 100 {
		t.Errorf("%v allocations", allocs)
	}
	d := NewDecoder(strings.NewReader("abc"), Config{})
	d.open, d.literal = true, announced
	if b, err := d.readAll(); err == nil || cap(b) > 8<<10 {
		t.Errorf("%d octets held for 3 that arrived", cap(b))
	}
}

func TestDecoderTokens(t *testing.T) {
	d := NewDecoder(strings.NewReader("a X NIL \"v\" 7 1:3 ~x\r\n"), Config{})
	if err := d.Begin(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() (string, error){d.Tag, sp(d), d.Atom, sp(d)} {
		if _, err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok, err := d.NString(); ok || err != nil {
		t.Error("NIL not seen", err)
	}
	_ = d.SP()
	if s, ok, err := d.NString(); !ok || s != "v" || err != nil {
		t.Errorf("%q %v %v", s, ok, err)
	}
	_ = d.SP()
	if n, err := Take(d, ConsumeNumber); n != 7 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	_ = d.SP()
	if set, err := Take(d, ConsumeSeqSet); len(set) != 1 || err != nil {
		t.Errorf("%v %v", set, err)
	}
	_ = d.SP()
	if s, err := d.AString(); s != "~x" || err != nil {
		t.Errorf("%q %v", s, err)
	}
	if err := d.End(); err != nil {
		t.Error(err)
	}
	if _, err := d.Atom(); err == nil {
		t.Error("a token outside of a command")
	}
}

func BenchmarkDecoder(b *testing.B) {
	const in = "a1 UID FETCH 1:100,200 (FLAGS INTERNALDATE RFC822.SIZE)\r\n"
	r := strings.NewReader("")
	d := NewDecoder(r, Config{})
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r.Reset(in)
		if err := d.Begin(); err != nil {
			b.Fatal(err)
		}
		_, _ = Take(d, ConsumeTag)
		_ = d.SP()
		_, _ = Take(d, ConsumeAtom)
		_ = d.SP()
		_, _ = Take(d, ConsumeAtom)
		_ = d.SP()
		_, _ = Take(d, ConsumeSeqSet)
		_ = d.SP()
		_ = d.List(func() error { _, err := Take(d, ConsumeAtom); return err })
		if err := d.End(); err != nil {
			b.Fatal(err)
		}
	}
}
