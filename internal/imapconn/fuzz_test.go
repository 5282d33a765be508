package imapconn

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// pieces are what an input makes of a text: responses, the parts of them, and the
// texts of messages between. A tag of each says what it is.
func pieces(t *testing.T, src io.Reader) (list []string, err error) {
	const limit = 2000
	in := &input{src: src, ready: func() error { return nil }, max: limit, maxLiteral: 500}
	rest := false
	for {
		chunk, section, err := in.next(rest)
		if err != nil {
			return list, err
		}
		if len(chunk) == 0 || len(chunk) > limit || chunk[len(chunk)-1] != '\n' || !whole(string(chunk), section) {
			t.Fatalf("chunk %q", chunk)
		}
		list = append(list, "C"+string(chunk))
		var r Response
		if err := parseResponse(&r, chunk); err == nil && !rest {
			if !bytes.HasSuffix(chunk, r.Args) || r.Tag != 0 && (r.Cont || r.Name != "") {
				t.Errorf("%q: %+v", chunk, r)
			}
		}
		if rest = section; !section {
			continue
		}
		lit, _, ok := literalTail(chunk)
		if !ok {
			t.Fatalf("no literal at the end of %q", chunk)
		}
		text := make([]byte, 0, 100)
		for left := lit.Size; left > 0; {
			p := make([]byte, min(left, 7))
			n, err := in.copyOut(p)
			if text = append(text, p[:n]...); err != nil {
				return append(list, "T"+string(text)), err
			}
			left -= int64(n)
		}
		list = append(list, "T"+string(text))
	}
}

// announces is a line that ends with the announcement of a literal.
var announces = regexp.MustCompile(`\{([0-9]{1,18})\+?\}\r\n$`)

// whole reports whether the literals of a chunk are whole, and the last line is none
// that announces one, unless a section follows.
func whole(chunk string, section bool) bool {
	for {
		n := strings.IndexByte(chunk, '\n') + 1
		m := announces.FindStringSubmatch(chunk[:n])
		if n == len(chunk) {
			return m == nil || section
		}
		if m == nil {
			return false
		}
		size, err := strconv.Atoi(m[1])
		if err != nil || n+size >= len(chunk) {
			return false
		}
		chunk = chunk[n+size:]
	}
}

// FuzzInput: all octets come through, each once and in order, and what they are is
// the same however they arrive.
func FuzzInput(f *testing.F) {
	f.Add("* 1 FETCH (UID 1 BODY[] {5}\r\nab\r\n) FLAGS ())\r\na1 OK done\r\n")
	f.Add("* LIST () NIL {3}\r\na\"b\r\n* 2 FETCH (BODY[1] ~{2}\r\n\x00\x01 RFC822 {1}\r\nx)\r\n+ go\r\n")
	f.Add("* URLFETCH \"imap://a/b\" {3}\r\nabc\r\n* URLFETCH {1}\r\nu (BINARY ~{2}\r\nab)\r\n* 1 FETCH (ENVELOPE ({3}\r\nabc))\r\n")
	f.Add("* LIST () NIL {4}\r\na\r\nb\r\n* ID (\"a\" {2}\r\n\r\n \"b\" {0}\r\n)\r\n")
	f.Add("* 1 FETCH (BODY[]<3> {99999999999999999}\r\nabc")
	f.Add("* STATUS a {501}\r\n" + strings.Repeat("x", 501) + "\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 5000 {
			return
		}
		want, err := pieces(t, strings.NewReader(text))
		var all strings.Builder
		for _, p := range want {
			all.WriteString(p[1:])
		}
		if !strings.HasPrefix(text, all.String()) {
			t.Errorf("%q became %q", text, want)
		}
		for what, src := range map[string]io.Reader{
			"octet by octet": iotest.OneByteReader(strings.NewReader(text)), "in halves": iotest.HalfReader(strings.NewReader(text)),
			"with the end": iotest.DataErrReader(strings.NewReader(text)),
		} {
			if got, gerr := pieces(t, src); !slices.Equal(got, want) || fmt.Sprint(gerr) != fmt.Sprint(err) {
				t.Errorf("%s: %q, %v; at once %q, %v", what, got, gerr, want, err)
			}
		}
	})
}
