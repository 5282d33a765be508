package pop3client

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// unstuffed runs a body through unstuffer in pieces of a size.
func unstuffed(u unstuffer, src string, piece, room int) (body, rest string, ended bool) {
	var out []byte
	dst := make([]byte, room)
	for len(src) > 0 && u.at != finished {
		n := min(piece, len(src))
		for n > 0 && u.at != finished {
			nDst, nSrc := u.next(dst, []byte(src[:n]))
			out, src, n = append(out, dst[:nDst]...), src[nSrc:], n-nSrc
		}
	}
	return string(out), src, u.at == finished
}

func TestUnstuff(t *testing.T) {
	for _, c := range []struct {
		name, src, body string // src without its end has none
		rest            string
		u               unstuffer
		endless         bool
	}{
		{name: "empty", src: ".\r\n"},
		{name: "a line", src: "a\r\n.\r\n", body: "a\r\n"},
		{name: "surplus", src: "a\r\n.\r\n+OK\r\n", body: "a\r\n", rest: "+OK\r\n"},
		{name: "stuffed", src: "..\r\n...a\r\n.b\r\n.\r\n", body: ".\r\n..a\r\nb\r\n"},
		{name: "dots inside", src: "a.\r\na..b.\r\n.\r\n", body: "a.\r\na..b.\r\n"},
		{name: "bare LF", src: "a\nb\n\nc\r\n.\r\n", body: "a\nb\n\nc\r\n"},
		{name: "a dot behind LF, stuffed", src: "a\n..b\r\n.\r\n", body: "a\n.b\r\n"},
		{name: "a dot behind LF, not stuffed", src: "a\n.b\r\n.\r\n", body: "a\n.b\r\n"},
		{name: "two dots behind LF, stuffed", src: "a\n...b\r\n.\r\n", body: "a\n..b\r\n"},
		{name: "no end behind LF", src: "a\n.\r\nb\r\n.\r\n", body: "a\n.\r\nb\r\n"},
		{name: "no end without CR", src: "a\r\n..\nb\r\n.\r\n", body: "a\r\n.\nb\r\n"},
		{name: "bare CR", src: "a\rb\r\r\n\r.\r\r\n.\r\n", body: "a\rb\r\r\n\r.\r\r\n"},
		{name: "CR behind a dot", src: ".\ra\r\n.\r\r\n.\r\n", body: "\ra\r\n\r\r\n"},
		{name: "NUL and 8bit", src: "\x00\xff\xfe\r\n.\r\n", body: "\x00\xff\xfe\r\n"},
		{name: "cut in the line", src: "a", body: "a", endless: true},
		{name: "cut behind CRLF", src: "a\r\n", body: "a\r\n", endless: true},
		{name: "cut behind the dot", src: "a\r\n.", body: "a\r\n", endless: true},
		{name: "cut behind its CR", src: "a\r\n.\r", body: "a\r\n", endless: true},
		{name: "loose", src: "a\n.\r\n", body: "a\n", u: unstuffer{looseEnd: true}},
		{name: "loose, no end", src: "a\n.\rb\n.\nc\r\n.\r\n", body: "a\n.\rb\n.\nc\r\n", u: unstuffer{looseEnd: true}},
		{name: "a server of bare LF", src: "a\n..b\n.\n", body: "a\n.b\n", u: unstuffer{bareLF: true}},
		{name: "a server of bare LF, empty", src: ".\n", u: unstuffer{bareLF: true}},
		{name: "a server of both", src: "a\n.\r\n", body: "a\n", u: unstuffer{bareLF: true}},
	} {
		for _, piece := range []int{1, 2, 3, 1 << 20} {
			for _, room := range []int{1, 2, 1 << 20} {
				body, rest, ended := unstuffed(c.u, c.src, piece, room)
				if body != c.body || rest != c.rest || ended == c.endless {
					t.Errorf("%s, %d octets at a time into %d: %q, rest %q, ended %v", c.name, piece, room, body, rest, ended)
				}
			}
		}
	}
}

// stuffedAs is what a server sends: lines end at CRLF only, or at each LF.
func stuffedAs(body string, atLF bool) string {
	end := "\r\n"
	if atLF {
		end = "\n"
	}
	if body != "" && !strings.HasSuffix(body, "\r\n") {
		body += "\r\n"
	}
	stuffed := strings.ReplaceAll(body, end+".", end+"..")
	if strings.HasPrefix(body, ".") {
		stuffed = "." + stuffed
	}
	return stuffed + ".\r\n"
}

// FuzzUnstuff: however it is cut, a body that a server of either kind stuffed is
// what it was. Of a server whose lines end at CRLF only, a second dot behind a
// bare LF is lost, as nothing tells it from a stuffed one.
func FuzzUnstuff(f *testing.F) {
	for _, s := range []string{"", "a", ".", "..", "\n.\r\n", "\r\n.\r\n", "\r.\n", "a\n..b", "\r", ".\r", "\r\n\r\n.", "a\n.\n.\r\n"} {
		f.Add(s, uint8(1), uint8(1))
	}
	f.Fuzz(func(t *testing.T, body string, piece, room uint8) {
		want := body
		if want != "" && !strings.HasSuffix(want, "\r\n") {
			want += "\r\n"
		}
		p, r := int(piece)+1, int(room)+1
		got, rest, ended := unstuffed(unstuffer{}, stuffedAs(body, true)+"+OK\r\n", p, r)
		if got != want || rest != "+OK\r\n" || !ended {
			t.Fatalf("stuffed at LF: %q, rest %q, ended %v; want %q", got, rest, ended, want)
		}
		if strings.Contains(strings.ReplaceAll(body, "\r\n", "\r"), "\n..") {
			return
		}
		got, rest, ended = unstuffed(unstuffer{}, stuffedAs(body, false)+"+OK\r\n", p, r)
		if got != want || rest != "+OK\r\n" || !ended {
			t.Fatalf("stuffed at CRLF: %q, rest %q, ended %v; want %q", got, rest, ended, want)
		}
	})
}

// naive is what unstuffer does, from the whole stream.
func naive(src string) (body, rest string, ended bool) {
	var out strings.Builder
	for start := true; ; {
		if start && strings.HasPrefix(src, ".\r\n") {
			return out.String(), src[3:], true
		}
		end := strings.IndexByte(src, '\n') + 1
		line := src[:end]
		if end == 0 {
			line = src
		}
		src = src[len(line):]
		switch dots := len(line) - len(strings.TrimLeft(line, ".")); {
		case start && dots > 0, !start && dots > 1:
			line = line[1:]
		}
		out.WriteString(line)
		if end == 0 {
			return out.String(), "", false
		}
		start = strings.HasSuffix(line, "\r\n")
	}
}

// FuzzBody: any stream, by naive's judgement, and through a Client.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"a\r\n.\r\n", "\n..\n.\r\n.\r\n", ".\r", "..\r\n.", "x\r\n.\r\n-ERR", "x\r\n.\r\nx", ".\r\n.\r\n", "\r\n..\n.\r\n.\r\n"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, src string, piece uint8) {
		body, rest, ended := naive(src)
		got, gotRest, gotEnded := unstuffed(unstuffer{}, src, int(piece)+1, 7)
		if !ended { // what is held back of a body that is cut does not matter
			body, gotEnded = got, gotEnded || !strings.HasPrefix(body, got)
		}
		if got != body || gotRest != rest || gotEnded != ended {
			t.Fatalf("%q, rest %q, ended %v; want %q, rest %q, ended %v", got, gotRest, gotEnded, body, rest, ended)
		}
		c := scripted(&stream{r: strings.NewReader("+OK\r\n" + src), piece: int(piece) + 1})
		b, err := c.Retr(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		all, err := io.ReadAll(b)
		switch {
		case err == nil && (!ended || string(all) != body):
			t.Fatalf("read %q, ended %v; want %q", all, ended, body)
		case err != nil && !ended && c.Usable():
			t.Fatalf("usable after %v", err)
		}
	})
}

// stream is the server's side of a fuzzed connection.
type stream struct {
	r     io.Reader
	piece int
	nullConn
}

func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.piece)]) }

func scripted(s *stream) *Client {
	return newClient(&Dialer{}, s, "")
}

func TestUnstuffLongLine(t *testing.T) {
	line := strings.Repeat("x", 3<<20)
	c := scripted(&stream{r: strings.NewReader("+OK\r\n" + line + "\r\n.\r\n"), piece: 1 << 20})
	b, err := c.Retr(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := io.Copy(&out, b)
	if err != nil || n != 3<<20+2 || out.String() != line+"\r\n" {
		t.Errorf("%d octets, %v", n, err)
	}
	if len(c.in.buf) != inputSize {
		t.Errorf("a buffer of %d octets", len(c.in.buf))
	}
}
