package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// outline shows a tree: type, header and body octets, lines.
func outline(p *Part, msg string, depth int) string {
	var b strings.Builder
	kind := string(p.Type) + "/" + string(p.Subtype)
	if p.Opaque {
		kind += "!"
	}
	fmt.Fprintf(&b, "%s%s %q %d\n", strings.Repeat(" ", depth), kind, msg[p.Body.Start:p.Body.End], p.Lines)
	if p.Message != nil {
		b.WriteString(outline(p.Message, msg, depth+1))
	}
	for _, c := range p.Children {
		b.WriteString(outline(c, msg, depth+1))
	}
	return b.String()
}

const mixed = "Content-Type: multipart/mixed; boundary=b\n\n"

var walkTable = []struct{ name, in, want string }{
	{"empty", "", `text/plain "" 0`},
	{"no header", "\nbody", `text/plain "body" 0`},
	{"no body", "Subject: x\n", `text/plain "" 0`},
	{"no line end", "Subject: x", `text/plain "" 0`},
	{"lines", "a: b\n\none\ntwo\nthree", `text/plain "one\ntwo\nthree" 2`},
	{"invalid type", "Content-Type: text\n\nx", `text/plain "x" 0`},
	{
		"two parts", mixed + "pre\n--b\n\none\n--b\nA: b\n\ntwo\n\n--b--\nend\n",
		`multipart/mixed "pre\n--b\n\none\n--b\nA: b\n\ntwo\n\n--b--\nend\n" 11
 text/plain "one" 0
 text/plain "two\n" 1`,
	},
	{
		"boundary at the start, nothing at the end", mixed + "--b\n\none",
		`multipart/mixed "--b\n\none" 2
 text/plain "one" 0`,
	},
	{
		"no empty line before a boundary", mixed + "--b\nA: b\n--b\n\nx\n--b--",
		`multipart/mixed "--b\nA: b\n--b\n\nx\n--b--" 5
 text/plain "" 0
 text/plain "x" 0`,
	},
	{
		"empty body before a boundary", mixed + "--b\nA: b\n\n--b--\n",
		`multipart/mixed "--b\nA: b\n\n--b--\n" 4
 text/plain "" 0`,
	},
	{"text behind the close delimiter", mixed + "--b--\n--b\n\nx", `multipart/mixed "--b--\n--b\n\nx" 3`},
	{"no boundary parameter", "Content-Type: multipart/mixed\n\n--\nx", `multipart/mixed "--\nx" 1`},
	{
		"boundary is a prefix of the line", mixed + "--b tail\n\nx\n--bc\n\ny\n--b--",
		`multipart/mixed "--b tail\n\nx\n--bc\n\ny\n--b--" 6
 text/plain "x" 0
 text/plain "y" 0`,
	},
	{
		"inner boundary starts like the outer one", mixed +
			"--b\nContent-Type: multipart/alternative; boundary=b1\n\n--b1\n\nx\n--b1--\n--b\n\ny\n--b--\n",
		`multipart/mixed "--b\nContent-Type: multipart/alternative; boundary=b1\n\n--b1\n\nx\n--b1--\n--b\n\ny\n--b--\n" 11
 multipart/alternative "--b1\n\nx\n--b1--" 3
  text/plain "x" 0
 text/plain "y" 0`,
	},
	{
		"inner is never closed", mixed +
			"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nx\n--b\n\ny\n--b--\n",
		`multipart/mixed "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nx\n--b\n\ny\n--b--\n" 10
 multipart/alternative "--c\n\nx" 2
  text/plain "x" 0
 text/plain "y" 0`,
	},
	{
		"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\nhi\n--b--",
		`multipart/digest "--b\n\nSubject: x\n\nhi\n--b--" 5
 message/rfc822 "Subject: x\n\nhi" 2
  text/plain "hi" 0`,
	},
	{
		"message", "Content-Type: message/rfc822\n\nSubject: x\nContent-Type: text/html\n\nhi\n",
		`message/rfc822 "Subject: x\nContent-Type: text/html\n\nhi\n" 4
 text/html "hi\n" 1`,
	},
	{
		"message without a body in a multipart", mixed + "--b\nContent-Type: message/global\n\nSubject: x\n--b--",
		`multipart/mixed "--b\nContent-Type: message/global\n\nSubject: x\n--b--" 4
 message/global "Subject: x\n" 1
  text/plain "" 0`,
	},
	{
		"message without anything", mixed + "--b\nContent-Type: message/rfc822\n--b--",
		`multipart/mixed "--b\nContent-Type: message/rfc822\n--b--" 2
 message/rfc822 "" 0
  text/plain "" 0`,
	},
	{
		"quoted boundary with spaces", "Content-Type: multipart/mixed;\n\tboundary=\"a b\" (x)\n\n--a b\n\nx\n--a b--",
		`multipart/mixed "--a b\n\nx\n--a b--" 3
 text/plain "x" 0`,
	},
	{
		"unquoted boundary with tspecials", "Content-Type: multipart/mixed; boundary=--=_x/y; a=b\n\n----=_x/y\n\nx\n----=_x/y--",
		`multipart/mixed "----=_x/y\n\nx\n----=_x/y--" 3
 text/plain "x" 0`,
	},
}

func TestWalk(t *testing.T) {
	for _, tt := range walkTable {
		t.Run(tt.name, func(t *testing.T) {
			root, err := Walk(strings.NewReader(tt.in), int64(len(tt.in)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(outline(root, tt.in, 0)); got != tt.want {
				t.Errorf("LF:\n%s\nwant\n%s", got, tt.want)
			}
			crlf := strings.ReplaceAll(tt.in, "\n", "\r\n")
			root, err = Walk(strings.NewReader(crlf), int64(len(crlf)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimSpace(outline(root, crlf, 0))
			if got = strings.ReplaceAll(got, `\r\n`, `\n`); got != tt.want {
				t.Errorf("CRLF:\n%s\nwant\n%s", got, tt.want)
			}
			check(t, root, []byte(crlf))
		})
	}
}

// check tests the invariants of a tree.
func check(t testing.TB, root *Part, msg []byte) {
	t.Helper()
	size := int64(len(msg))
	if root.Header.Start != 0 || root.Body.End != size {
		t.Fatalf("root is %v %v of %d", root.Header, root.Body, size)
	}
	root.All(func(p *Part) bool {
		checkPart(t, p, msg)
		return true
	})
	for _, extended := range []bool{false, true} {
		form := AppendBody(nil, root, extended)
		if n, err := imapwire.SkipValue(form, 5*depthCap); err != nil || n != len(form) {
			t.Fatalf("body structure %q: %d, %v", form, n, err)
		}
	}
	form := AppendEnvelope(nil, root.Envelope)
	if n, err := imapwire.SkipValue(form, 10); err != nil || n != len(form) {
		t.Fatalf("envelope %q: %d, %v", form, n, err)
	}
}

func checkPart(t testing.TB, p *Part, msg []byte) {
	t.Helper()
	if p.Header.Start > p.Header.End || p.Header.End != p.Body.Start || p.Body.Start > p.Body.End {
		t.Fatalf("spans %v %v", p.Header, p.Body)
	}
	if n := int64(bytes.Count(msg[p.Body.Start:p.Body.End], []byte{'\n'})); n != p.Lines {
		t.Fatalf("%d lines in %q, want %d", p.Lines, msg[p.Body.Start:p.Body.End], n)
	}
	at := p.Body.Start
	below := p.Children
	if p.Message != nil {
		below = []*Part{p.Message}
		if p.Message.Envelope == nil {
			t.Fatal("message without envelope")
		}
	}
	for _, c := range below {
		if c.Header.Start < at || c.Body.End > p.Body.End {
			t.Fatalf("part %v %v is not within %d..%d", c.Header, c.Body, at, p.Body.End)
		}
		at = c.Body.End
	}
}

func FuzzWalk(f *testing.F) {
	for _, tt := range walkTable {
		f.Add([]byte(tt.in))
		f.Add([]byte(strings.ReplaceAll(tt.in, "\n", "\r\n")))
	}
	f.Add([]byte("From: a, (b) <c@d>: e;\nSubject: =?utf-8?q?x?= [fwd: re: [a] b]\nDate: 1 Jan 1 1:1 x\n\n"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		root, work, err := walk(bytes.NewReader(msg), int64(len(msg)), Limits{MaxDepth: 6, MaxParts: 20, MaxHeader: 500, MaxKept: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if limit := int64(10*len(msg) + 100); work > limit {
			t.Fatalf("%d steps for %d octets", work, len(msg))
		}
		check(t, root, msg)
		slow, err := Walk(iotestReaderAt{msg}, int64(len(msg)), Limits{MaxDepth: 6, MaxParts: 20, MaxHeader: 500, MaxKept: 1000})
		if err != nil || outline(slow, string(msg), 0) != outline(root, string(msg), 0) {
			t.Fatalf("short reads change the tree: %v", err)
		}
	})
}

// iotestReaderAt gives at most 7 octets at a time.
type iotestReaderAt struct{ b []byte }

func (r iotestReaderAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(r.b).ReadAt(p[:min(7, len(p))], off)
	return n, err
}

type brokenReaderAt struct{ err error }

func (r brokenReaderAt) ReadAt([]byte, int64) (int, error) { return 0, r.err }

func TestWalkReportsTheReader(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Walk(brokenReaderAt{broken}, 10, Limits{}); err != broken {
		t.Error(err)
	}
	if _, err := Walk(brokenReaderAt{io.EOF}, 10, Limits{}); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
	if _, err := Walk(brokenReaderAt{}, 10, Limits{}); err != io.ErrNoProgress {
		t.Error(err)
	}
}

// TestWalkIsLinear feeds what makes careless parsers slow or large.
func TestWalkIsLinear(t *testing.T) {
	nested := func(depth int) string {
		var b strings.Builder
		for i := range depth {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=\"b%d\"\n\n--b%d\n", i, i)
		}
		return b.String()
	}
	deepest := nested(DefaultMaxDepth)
	long := strings.Repeat("x", 900)
	for name, in := range map[string]string{
		"nested multiparts":     nested(10_000),
		"nested messages":       strings.Repeat("Content-Type: message/rfc822\n\n", 10_000),
		"endless parts":         mixed + strings.Repeat("--b\n\n", 100_000),
		"boundary-like lines":   deepest + "\n" + strings.Repeat("--b", 1<<18),
		"boundary-like starts":  deepest + "\n" + strings.Repeat("--\n", 1<<18),
		"same long prefix":      strings.ReplaceAll(deepest, "b", long) + strings.Repeat("--"+long+"y\n", 500),
		"hyphens":               deepest + strings.Repeat("-\n-\n", 1<<18),
		"endless params":        "Content-Type: text/plain" + strings.Repeat("; a*0=b", 100_000) + "\n\n",
		"endless quotes":        "Content-Type: text/plain" + strings.Repeat(";a=\"\\", 100_000) + "\n\n",
		"endless comments":      "Content-Type: " + strings.Repeat("(", 500_000) + "\n\n",
		"endless fields":        strings.Repeat("a\n", 500_000) + "\n",
		"endless folding":       "Subject: a" + strings.Repeat("\n ", 400_000) + "\n\n",
		"endless content types": strings.Repeat("Content-Type: multipart/x;boundary=y\n", 50_000) + "\n--y\n\n",
		"endless languages":     "Content-Language: " + strings.Repeat("a,", 400_000) + "\n\n",
		"addresses":             "To: " + strings.Repeat("a@b, ", 100_000) + "\n\n",
		"address fields":        strings.Repeat("To: a@b\n", 100_000) + "\n\n",
		"broken addresses":      "From: " + strings.Repeat("<@", 400_000) + "\n\n",
		"address comments":      "From: " + strings.Repeat("(a", 400_000) + "\n\n",
		"groups":                "From: " + strings.Repeat("a:;", 300_000) + "\n\n",
		"large header":          "Subject: " + strings.Repeat("a", 3<<20) + "\n\nbody",
	} {
		root, work, err := walk(strings.NewReader(in), int64(len(in)), Limits{})
		if err != nil {
			t.Fatal(name, err)
		}
		if per := float64(work) / float64(len(in)); per > 110 && name == "same long prefix" || per > 12 && name != "same long prefix" {
			t.Errorf("%s: %.1f steps per octet", name, per)
		}
		parts := 0
		root.All(func(*Part) bool { parts++; return true })
		if parts > DefaultMaxParts {
			t.Errorf("%s: %d parts", name, parts)
		}
		check(t, root, []byte(in))
	}
}

func TestWalkLimits(t *testing.T) {
	in := strings.Repeat("Content-Type: message/rfc822\n\n", 5) + "\nx"
	root, _ := Walk(strings.NewReader(in), int64(len(in)), Limits{MaxDepth: 2})
	inner := root.Message.Message
	if !inner.Opaque || inner.Message != nil {
		t.Errorf("depth: %+v", inner)
	}
	if got := string(AppendBody(nil, inner, false)); !strings.HasPrefix(got, `("application" "octet-stream" NIL NIL NIL "7bit" `) {
		t.Error(got)
	}
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxParts: 2})
	if root.Message == nil || !root.Message.Opaque || root.Message.Message != nil {
		t.Errorf("parts: %s", outline(root, in, 0))
	}
	in = mixed + strings.Repeat("--b\n\nx\n", 10) + "--b--\n"
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxParts: 4})
	if len(root.Children) != 3 || root.Children[2].Lines != 21 {
		t.Errorf("parts: %s", outline(root, in, 0))
	}
	in = "Subject: abcdefgh\n" + mixed + "--b\n\nx\n--b--\n"
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxHeader: 20})
	if root.Children != nil || string(root.Envelope.Subject) != "abcdefgh" || root.Header.Len() != int64(strings.Index(in, "\n\n")+2) {
		t.Errorf("header: %s", outline(root, in, 0))
	}
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxKept: 10})
	if root.Children != nil || root.Envelope.Subject != nil {
		t.Errorf("kept: %s", outline(root, in, 0))
	}
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{-1, -1, -1, -1})
	if len(root.Children) != 1 {
		t.Errorf("none: %s", outline(root, in, 0))
	}
}

// TestWalkAtWindowEdges moves a boundary over every place where the window may
// end.
func TestWalkAtWindowEdges(t *testing.T) {
	for _, edge := range []int{windowSize / 2, windowSize, windowSize * 3 / 2} {
		for pad := edge - 80; pad < edge+80; pad++ {
			in := mixed + strings.Repeat("x", pad-len(mixed)) + "\r\n--b\r\n\r\none\r\n--b--\r\n" + strings.Repeat("y", windowSize)
			root, err := Walk(strings.NewReader(in), int64(len(in)), Limits{})
			if err != nil || len(root.Children) != 1 || root.Children[0].Body.Len() != 3 {
				t.Fatalf("boundary at %d: %v", pad, err)
			}
		}
	}
}
