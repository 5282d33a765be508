package mime

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// outline shows a tree: type, header and body octets, lines.
func outline(t *Tree, msg string) string {
	var b strings.Builder
	h := t.Headers(strings.NewReader(msg))
	defer h.Close()
	var show func(i, depth int) int
	show = func(i, depth int) int {
		e, err := h.Entity(i)
		if err != nil {
			return i + 1
		}
		p := t.Part(i)
		kind := string(e.Type) + "/" + string(e.Subtype)
		if p.Opaque() {
			kind += "!"
		}
		fmt.Fprintf(&b, "%s%s %q %d\n", strings.Repeat(" ", depth), kind, msg[p.Body().Start:p.Body().End], p.Lines)
		next := i + 1
		for range p.Below() {
			next = show(next, depth+1)
		}
		return next
	}
	show(0, 0)
	return b.String()
}

// structure is a Form of the message in msg.
func structure(t testing.TB, tree *Tree, msg string, part int, extended bool) string {
	t.Helper()
	f := Form{Tree: tree, Content: strings.NewReader(msg), Part: part, Extended: extended}
	out, err := f.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := f.Write(&b); err != nil || b.String() != string(out) {
		t.Fatalf("written %.1000q, %v\nappended %.1000q", b.String(), err, out)
	}
	return string(out)
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
			if got := strings.TrimSpace(outline(root, tt.in)); got != tt.want {
				t.Errorf("LF:\n%s\nwant\n%s", got, tt.want)
			}
			crlf := strings.ReplaceAll(tt.in, "\n", "\r\n")
			root, err = Walk(strings.NewReader(crlf), int64(len(crlf)), Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimSpace(outline(root, crlf))
			if got = strings.ReplaceAll(got, `\r\n`, `\n`); got != tt.want {
				t.Errorf("CRLF:\n%s\nwant\n%s", got, tt.want)
			}
			check(t, root, []byte(crlf))
		})
	}
}

// check tests the invariants of a tree.
func check(t testing.TB, tree *Tree, msg []byte) {
	t.Helper()
	size := int64(len(msg))
	if root := tree.Part(0); root.Header().Start != 0 || root.Body().End != size {
		t.Fatalf("root is %v %v of %d", root.Header(), root.Body(), size)
	}
	if next := checkPart(t, tree, 0, msg); next != tree.Len() {
		t.Fatalf("%d parts of %d are in the tree", next, tree.Len())
	}
	for _, extended := range []bool{false, true} {
		form := structure(t, tree, string(msg), 0, extended)
		if n, err := imapwire.SkipValue([]byte(form), 5*depthCap); err != nil || n != len(form) {
			t.Fatalf("body structure %q: %d, %v", form, n, err)
		}
	}
	form := AppendEnvelope(nil, &tree.Root().Envelope)
	if n, err := imapwire.SkipValue(form, 10); err != nil || n != len(form) {
		t.Fatalf("envelope %q: %d, %v", form, n, err)
	}
}

// checkPart tests part i and those below it, and returns the number of the part
// behind.
func checkPart(t testing.TB, tree *Tree, i int, msg []byte) int {
	t.Helper()
	p := tree.Part(i)
	header, body := p.Header(), p.Body()
	if header.Start > header.End || header.End != body.Start || body.Start > body.End {
		t.Fatalf("spans %v %v", header, body)
	}
	if n := int64(bytes.Count(msg[body.Start:body.End], []byte{'\n'})); n != p.Lines {
		t.Fatalf("%d lines in %q, want %d", p.Lines, msg[body.Start:body.End], n)
	}
	if p.Kind() == Leaf && p.Below() != 0 || p.Kind() == Message && (p.Below() != 1 || !tree.Part(i+1).IsMessage()) {
		t.Fatalf("%d parts below a part of the kind %d", p.Below(), p.Kind())
	}
	at, next := body.Start, i+1
	for range p.Below() {
		c := tree.Part(next)
		if c.Header().Start < at || c.Body().End > body.End {
			t.Fatalf("part %v %v is not within %d..%d", c.Header(), c.Body(), at, body.End)
		}
		at, next = c.Body().End, checkPart(t, tree, next, msg)
	}
	return next
}

func FuzzWalk(f *testing.F) {
	for _, tt := range walkTable {
		f.Add([]byte(tt.in))
		f.Add([]byte(strings.ReplaceAll(tt.in, "\n", "\r\n")))
	}
	f.Add([]byte("From: a, (b) <c@d>: e;\nSubject: =?utf-8?q?x?= [fwd: re: [a] b]\nDate: 1 Jan 1 1:1 x\n\n"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		root, work, err := walk(bytes.NewReader(msg), int64(len(msg)), Limits{MaxDepth: 6, MaxParts: 20, MaxHeader: 500})
		if err != nil {
			t.Fatal(err)
		}
		if limit := int64(10*len(msg) + 100); work > limit {
			t.Fatalf("%d steps for %d octets", work, len(msg))
		}
		check(t, root, msg)
		slow, err := Walk(iotestReaderAt{msg}, int64(len(msg)), Limits{MaxDepth: 6, MaxParts: 20, MaxHeader: 500})
		if err != nil || outline(slow, string(msg)) != outline(root, string(msg)) {
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
		if root.Len() > DefaultMaxParts {
			t.Errorf("%s: %d parts", name, root.Len())
		}
		check(t, root, []byte(in))
	}
}

func TestWalkLimits(t *testing.T) {
	in := strings.Repeat("Content-Type: message/rfc822\n\n", 5) + "\nx"
	root, _ := Walk(strings.NewReader(in), int64(len(in)), Limits{MaxDepth: 2})
	if inner := root.Part(2); root.Len() != 3 || !inner.Opaque() || inner.Kind() != Leaf {
		t.Errorf("depth: %+v", inner)
	}
	if got := structure(t, root, in, 2, false); !strings.HasPrefix(got, `("application" "octet-stream" NIL NIL NIL "7bit" `) {
		t.Error(got)
	}
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxParts: 2})
	if root.Len() != 2 || !root.Part(1).Opaque() || root.Part(0).Kind() != Message {
		t.Errorf("parts: %s", outline(root, in))
	}
	in = mixed + strings.Repeat("--b\n\nx\n", 10) + "--b--\n"
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxParts: 4})
	if root.Part(0).Below() != 3 || root.Part(3).Lines != 21 {
		t.Errorf("parts: %s", outline(root, in))
	}
	in = "Subject: abcdefgh\n" + mixed + "--b\n\nx\n--b--\n"
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{MaxHeader: 20})
	if root.Len() != 1 || string(root.Root().Envelope.Subject) != "abcdefgh" || root.Part(0).Header().Len() != int64(strings.Index(in, "\n\n")+2) {
		t.Errorf("header: %s", outline(root, in))
	}
	root, _ = Walk(strings.NewReader(in), int64(len(in)), Limits{-1, -1, -1})
	if root.Part(0).Below() != 1 {
		t.Errorf("none: %s", outline(root, in))
	}
}

// TestWalkKeepsLittle: a message of ten thousand parts, each with all fields, is
// described in full with less than 1 MiB of memory.
func TestWalkKeepsLittle(t *testing.T) {
	const part = "--b\r\nContent-Type: image/png; name*0=a; name*1=b\r\nContent-ID: <i@d>\r\nContent-Description: some\r\n" +
		"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=b.png\r\nContent-Language: en, de\r\n\r\nx\r\n"
	in := strings.ReplaceAll(mixed, "\n", "\r\n") + strings.Repeat(part, DefaultMaxParts-1) + "--b--\r\n"
	r := strings.NewReader(in)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tree, err := Walk(r, int64(len(in)), Limits{})
	if err != nil || tree.Len() != DefaultMaxParts {
		t.Fatalf("%d parts, %v", tree.Len(), err)
	}
	var form counter
	if err := (Form{Tree: tree, Content: r, Extended: true}).Write(&form); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	const one = `("image" "png" ("name" "ab") "<i@d>" "some" "base64" 1 NIL ("attachment" ("filename" "b.png")) ("en" "de") NIL)`
	if want := len(one) * (DefaultMaxParts - 1); int(form) < want || int(form) > want+100 {
		t.Errorf("a form of %d octets, want some more than %d", form, want)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 && !raceDetector {
		t.Errorf("%d octets", n)
	}
}

// TestEndlessLanguages: a header that is nothing but language tags costs little
// more than its octets, also in a BODYSTRUCTURE.
func TestEndlessLanguages(t *testing.T) {
	in := "Content-Language: " + strings.Repeat("a,", DefaultMaxHeader/2-20) + "\r\n\r\n"
	r := strings.NewReader(in)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tree, err := Walk(r, int64(len(in)), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tree.Root().Language); n != MaxLanguages {
		t.Errorf("%d tags, want %d", n, MaxLanguages)
	}
	var form counter
	if err := (Form{Tree: tree, Content: r, Extended: true}).Write(&form); err != nil || form > 10*MaxLanguages {
		t.Errorf("a form of %d octets, %v", form, err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2<<20 && !raceDetector {
		t.Errorf("%d octets", n)
	}
}

// counter counts what is written.
type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// TestWalkAtWindowEdges moves a boundary over every place where the window may
// end.
func TestWalkAtWindowEdges(t *testing.T) {
	for _, edge := range []int{windowSize / 2, windowSize, windowSize * 3 / 2} {
		for pad := edge - 80; pad < edge+80; pad++ {
			in := mixed + strings.Repeat("x", pad-len(mixed)) + "\r\n--b\r\n\r\none\r\n--b--\r\n" + strings.Repeat("y", windowSize)
			root, err := Walk(strings.NewReader(in), int64(len(in)), Limits{})
			if err != nil || root.Part(0).Below() != 1 || root.Part(1).Body().Len() != 3 {
				t.Fatalf("boundary at %d: %v", pad, err)
			}
		}
	}
}
