package imapwire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestEncoder(t *testing.T) {
	var out bytes.Buffer
	e := NewEncoder(&out)
	e.Raw("* ").Number(7).Raw(" FETCH (FLAGS ").Flags([]string{`\Seen`}).SP()
	e.Text([]byte("a b")).SP().NString(nil).SP().SeqSet(SeqSet{{1, 0}}).SP()
	e.DateTime(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)).SP().Mailbox("\u00e4", false)
	e.SP().Literal(Literal{Size: 3}, strings.NewReader("abcdef")).Raw(")").CRLF()
	if out.Len() > 0 {
		t.Error("written before Flush")
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	want := "* 7 FETCH (FLAGS (\\Seen) \"a b\" NIL 1:* \" 2-Jan-2024 03:04:05 +0000\" &AOQ- {3}\r\nabc)\r\n"
	if out.String() != want {
		t.Errorf("got  %q\nwant %q", out.String(), want)
	}
	if e.buf != nil || e.pool != nil {
		t.Error("a flushed Encoder holds a buffer")
	}
}

func TestEncoderStreamsLargeLiterals(t *testing.T) {
	body := strings.Repeat("0123456789", 20_000)
	var out bytes.Buffer
	e := NewEncoder(&out)
	e.Raw(body).Literal(Literal{Size: int64(len(body)), Binary: true}, iotest.HalfReader(strings.NewReader(body)))
	if _, err := e.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := body + "~{200000}\r\n" + body + body; out.String() != want {
		t.Error("octets were lost or changed")
	}
}

func TestEncoderErrors(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		r    io.Reader
		want error
	}{
		"short":       {strings.NewReader("ab"), io.ErrUnexpectedEOF},
		"broken":      {iotest.ErrReader(broken), broken},
		"no progress": {stuck{}, io.ErrNoProgress},
	} {
		e := NewEncoder(io.Discard)
		if err := e.Literal(Literal{Size: 3}, tt.r).Raw("x").Flush(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := e.Write([]byte("y")); err == nil {
			t.Errorf("%s: the error is not sticky", name)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestEncoderClientWaits(t *testing.T) {
	var out bytes.Buffer
	e := NewEncoder(&out)
	e.Sync = func() error { out.WriteString("<wait>"); return nil }
	e.Raw("a X ").Literal(Literal{Size: 1}, strings.NewReader("b"))
	e.SP().Literal(Literal{Size: 1, NonSync: true}, strings.NewReader("c")).CRLF()
	if err := e.Flush(); err != nil {
		t.Fatal(err)
	}
	if want := "a X {1}\r\n<wait>b {1+}\r\nc\r\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

// FuzzEncoder: a Decoder reads back what an Encoder wrote.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte("a"), []byte("\x00\r\n"), "\u00e4")
	f.Fuzz(func(t *testing.T, text, blob []byte, name string) {
		var out bytes.Buffer
		e := NewEncoder(&out)
		e.Raw("a X ").Text(text).SP().Mailbox(name, false).SP()
		e.Literal(Literal{Size: int64(len(blob)), Binary: true, NonSync: true}, bytes.NewReader(blob)).CRLF()
		if err := e.Flush(); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		d := NewDecoder(&out, Config{MaxLine: -1, MaxMemory: -1})
		if err := d.Begin(); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, step := range []func() (string, error){d.Tag, sp(d), d.Word, sp(d), d.Text, sp(d), d.AString, sp(d), d.Text} {
			s, err := step()
			if err != nil {
				t.Fatal(err, got.String())
			}
			parts = append(parts, s)
		}
		if err := d.End(); err != nil {
			t.Fatal(err)
		}
		mailbox, err := DecodeUTF7([]byte(parts[6]))
		if err != nil || mailbox != strings.ToValidUTF8(name, "\ufffd") && len(strings.ToValidUTF8(name, "")) == len(name) {
			t.Fatalf("mailbox %q: %q, %v", name, mailbox, err)
		}
		if parts[4] != strings.ReplaceAll(string(text), "\x00", "") || parts[8] != string(blob) {
			t.Fatalf("%q", parts)
		}
	})
}
