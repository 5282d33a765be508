package downgrade

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/mime"
)

// convert runs a message through a Writer in pieces of step octets.
func convert(t *testing.T, in string, opts Options, step int) (string, error) {
	t.Helper()
	var out bytes.Buffer
	w := NewWriter(&out, opts)
	for rest := []byte(in); len(rest) > 0; {
		n := min(step, len(rest))
		if _, err := w.Write(rest[:n]); err != nil {
			return out.String(), err
		}
		rest = rest[n:]
	}
	err := w.Close()
	return out.String(), err
}

const long = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n"

func TestWriter(t *testing.T) {
	to7, no := Options{No8Bit: true, NoBinary: true}, Options{NoBinary: true}
	strict := Options{ASCIIHeader: true}
	pad := strings.Repeat(long, 1000) // more than is held back
	tests := []struct {
		name, in, want string
		opts           Options
		err            error
	}{
		{"empty", "", "", to7, nil},
		{"header only", "Subject: x\r\n", "Subject: x\r\n", to7, nil},
		{"no line end", "Subject: x\r\n\r\ntext", "Subject: x\r\n\r\ntext", to7, nil},
		{"bare LF", "Subject: x\n\na\nb\n", "Subject: x\n\na\nb\n", to7, nil},
		{"undeclared", "Subject: x\r\n\r\né\r\n", "Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n", to7, nil},
		{"declared", "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8BIT\r\nContent-Type: text/html\r\n\r\n=é \r\n \r\n", "MIME-Version: 1.0\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=3D=C3=A9=20\r\n=20\r\n", to7, nil},
		{"declared but ASCII", "Content-Transfer-Encoding: 8bit\r\n\r\n= \r\n", "Content-Transfer-Encoding: 8bit\r\n\r\n= \r\n", to7, nil},
		{"encoded", "Content-Transfer-Encoding: base64\r\n\r\nw6k=\r\n", "Content-Transfer-Encoding: base64\r\n\r\nw6k=\r\n", to7, nil},
		{"long lines", "\r\n" + strings.Repeat("é", 40) + "\r\n", "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
			strings.Repeat("=C3=A9", 12) + "=C3=\r\n=A9" + strings.Repeat("=C3=A9", 12) + "=\r\n" + strings.Repeat("=C3=A9", 12) + "=C3=\r\n=A9" + strings.Repeat("=C3=A9", 2) + "\r\n", to7, nil},
		{"8-bit late, undeclared", "\r\n" + pad + "é\r\n", "\r\n" + pad + "é\r\n", to7, nil},
		{"8-bit late, declared", "Content-Type: text/plain\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + pad + "é\r\n", "Content-Type: text/plain\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" + pad + "=C3=A9\r\n", to7, nil},
		{
			"multipart", "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\npré\r\n--b\r\n\r\nplain\r\n--b \r\nContent-Type: text/plain; charset=utf-8\r\n\r\né\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n\r\n--b--\r\nend",
			"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\npr?\r\n--b\r\n\r\nplain\r\n--b \r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\neA0K\r\n--b--\r\nend", to7, nil,
		},
		{"8-bit is fine", "\r\né\r\n", "\r\né\r\n", no, nil},
		{"binary", "MIME-Version: 1.0\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: binary\r\n\r\na\r\x00\n", "MIME-Version: 1.0\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\nYQ0ACg==\r\n", no, nil},
		{"message", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\né\r\n", "Content-Type: message/rfc822\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n", to7, nil},
		{"message/global", "MIME-Version: 1.0\r\nContent-Type: message/global\r\n\r\nSubject: é\r\n\r\nx\r\n", "MIME-Version: 1.0\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =C3=A9\r\n\r\nx\r\n", Options{No8Bit: true, ASCIIHeader: true}, nil},
		{"digest", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\né\r\n--b--", "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--b--", to7, nil},
		{"signed", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b--\r\n", "", to7, ErrSigned},
		{"signed ASCII", "Content-Type: multipart/signed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\ne = \r\n--b--\r\n", "Content-Type: multipart/signed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\ne = \r\n--b--\r\n", to7, nil},
		{"signed inside", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\r\né\r\n--b--\r\n--a--", "", to7, ErrSigned},
		{"behind signed", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\ne\r\n--b--\r\n--a\r\nContent-Type: text/plain\r\n\r\né\r\n--a--", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\ne\r\n--b--\r\n--a\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n--a--", to7, nil},
		{"one boundary is the start of another", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/signed; boundary=bb\r\n\r\n--bb\r\n\r\né\r\n--bb--\r\n--b--\r\n", "", to7, ErrSigned},
		{"signed binary", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n--b--\r\n", "", no, ErrSigned},
		{"epilogue of signed", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b--\r\né", "", to7, ErrSigned},
		{"partial", "Content-Type: message/partial; id=x\r\n\r\né\r\n", "", to7, ErrStructure},
		{"no boundary", "Content-Type: multipart/mixed\r\n\r\né\r\n", "", to7, ErrStructure},
		{"UTF-8 header", "Subject: é\r\n\r\nx", "", strict, ErrHeader},
		{"UTF-8 header of a part", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Description: é\r\n\r\n", "", strict, ErrHeader},
		{"UTF-8 header of a signed part", "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Description: é\r\n\r\n", "", strict, ErrHeader},
		{"UTF-8 body", "Subject: x\r\n\r\né", "Subject: x\r\n\r\né", strict, nil},
		{"8-bit header", "Subject: \xe9\r\n\r\nx", "Subject: \xe9\r\n\r\nx", to7, nil},
		{"long header", strings.Repeat("X-Long: "+long, 4000) + "\r\nx\r\n", strings.Repeat("X-Long: "+long, 4000) + "\r\nx\r\n", to7, nil},
		{"long header, 8-bit", strings.Repeat("X-Long: "+long, 4000) + "\r\né\r\n", "", to7, ErrStructure},
		{"parts without a body", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\nX: y\r\n--b--\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\nX: y\r\n--b--\r\n", to7, nil},
	}
	for _, tt := range tests {
		for _, step := range []int{1, 7, 1 << 20} {
			if step == 1 && len(tt.in) > 100_000 {
				continue
			}
			got, err := convert(t, tt.in, tt.opts, step)
			if !errors.Is(err, tt.err) || tt.err == nil && got != tt.want {
				t.Errorf("%s, step %d: %v\ngot  %q\nwant %q", tt.name, step, err, shorten(got), shorten(tt.want))
			}
		}
	}
}

func shorten(s string) string {
	if len(s) > 2000 {
		return s[:1000] + "..." + s[len(s)-1000:]
	}
	return s
}

// Deep nesting costs no more than its octets.
func TestDepth(t *testing.T) {
	var in strings.Builder
	for range 10_000 {
		in.WriteString("Content-Type: message/rfc822\r\n\r\n")
	}
	if _, err := convert(t, in.String()+"é", Options{No8Bit: true}, 1<<20); !errors.Is(err, ErrStructure) {
		t.Error(err)
	}
	if got, err := convert(t, in.String()+"e", Options{No8Bit: true}, 1<<20); err != nil || got != in.String()+"e" {
		t.Error(err)
	}
}

// TestLinear: a line without an end costs no more than its octets, in whatever
// form. Quadratic work would take minutes.
func TestLinear(t *testing.T) {
	for _, head := range []string{"", "\r\n", "Content-Transfer-Encoding: 8bit\r\n\r\n\xff", "Content-Transfer-Encoding: binary\r\n\r\n", "Content-Type: multipart/mixed; boundary=b\r\n\r\n"} {
		in := head + strings.Repeat("x", 16<<20)
		if _, err := convert(t, in, Options{No8Bit: true, NoBinary: true}, len(in)); err != nil {
			t.Errorf("%q: %v", head, err)
		}
	}
}

// leaves are the decoded bodies of a message, with lines that end in LF where
// they are text, and how many octets beyond ASCII its bodies hold.
func leaves(t *testing.T, in string) (texts []string) {
	t.Helper()
	each(t, in, func(body string, e *mime.Entity) {
		text := body
		var decoded []byte
		var err error
		switch strings.ToLower(string(e.Encoding)) {
		case "quoted-printable":
			decoded, err = io.ReadAll(quotedprintable.NewReader(strings.NewReader(text)))
			text = lf(string(decoded))
		case "base64":
			decoded, err = io.ReadAll(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
			text = string(decoded)
		case "binary":
		default:
			text = lf(text)
		}
		if err != nil {
			text = "cannot be decoded: " + text
		}
		texts = append(texts, text)
	})
	return texts
}

// each calls f for each leaf.
func each(t *testing.T, in string, f func(body string, e *mime.Entity)) {
	t.Helper()
	r := strings.NewReader(in)
	tree, err := mime.Walk(r, r.Size(), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	h := tree.Headers(r)
	defer h.Close()
	for i := range tree.Len() {
		p := tree.Part(i)
		if p.Kind() != mime.Leaf {
			continue
		}
		e, err := h.Entity(i)
		if err != nil {
			t.Fatal(err)
		}
		f(in[p.Body().Start:p.Body().End], e)
	}
}

// allASCII wants that the bodies of got which nothing encodes are ASCII.
func allASCII(t *testing.T, in, got string) {
	t.Helper()
	r := strings.NewReader(got)
	tree, err := mime.Walk(r, r.Size(), mime.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	h := tree.Headers(r)
	defer h.Close()
	var look func(i int, encoded bool) (next int)
	look = func(i int, encoded bool) int {
		e, err := h.Entity(i)
		if err != nil {
			t.Fatal(err)
		}
		switch strings.ToLower(string(e.Encoding)) {
		case "", "7bit", "8bit", "binary":
		default:
			encoded = true // says that it is encoded, with all that is in there
		}
		p := tree.Part(i)
		if body := got[p.Body().Start:p.Body().End]; !encoded && p.Below() == 0 && len(body) < maxHeld && !ascii([]byte(body)) {
			t.Errorf("8-bit body %q:\n%q\n%q", body, in, got)
		}
		next := i + 1
		for range p.Below() {
			next = look(next, encoded)
		}
		return next
	}
	look(0, false)
}

func lf(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.ReplaceAll(s, "\r", "\n")
}

// A message is converted into one with the same parts, or not at all; without
// need it passes as it is.
func FuzzWriter(f *testing.F) {
	f.Add("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\né\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n--b--\r\n", true)
	f.Add("Content-Type: message/rfc822\r\n\r\nContent-Transfer-Encoding: 8bit\r\n\r\né= \r\n", true)
	f.Add("\r\n\r\r\n\xff", false)
	f.Fuzz(func(t *testing.T, in string, no8bit bool) {
		opts := Options{No8Bit: no8bit, NoBinary: true}
		got, err := convert(t, in, opts, 1<<20)
		bytewise, err2 := convert(t, in, opts, 1)
		if (err == nil) != (err2 == nil) || err == nil && got != bytewise {
			t.Fatalf("octet by octet: %v, %v\n%q\n%q", err, err2, got, bytewise)
		}
		if err != nil {
			return
		}
		lower := strings.ToLower(in)
		if ascii([]byte(in)) && !strings.Contains(lower, "binary") && !strings.Contains(lower, "8bit") && got != in {
			t.Fatalf("%q became %q", in, got)
		}
		if no8bit {
			allASCII(t, in, got)
		}
		before, after := leaves(t, in), leaves(t, got)
		if len(before) != len(after) {
			t.Fatalf("%d parts became %d:\n%q\n%q", len(before), len(after), in, got)
		}
		for i := range before {
			if before[i] != after[i] {
				t.Errorf("part %d: %q became %q\n%q\n%q", i, before[i], after[i], in, got)
			}
		}
	})
}
