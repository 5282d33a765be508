package imapresp

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// seeds are values as servers send them.
var seeds = []string{
	`NIL`, `()`, `"a\"b\\c"`, "{3}\r\nabc", "~{2}\r\n\x00\x01", `(a (b "c" NIL) {1}` + "\r\n)" + ` d)`,
	`("Mon, 7 Feb 1994 21:52:25 -0800" "IMAP" (("T" NIL "gray" "cac.w.edu")) NIL NIL (("g" NIL "g" NIL)(NIL NIL NIL NIL)) NIL NIL NIL "<B@c>")`,
	`("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1152 23)`,
	`(("TEXT" "PLAIN" NIL NIL NIL "7BIT" 2 1 NIL ("attachment" ("filename" "x")) ("en" "de") "loc") ("A" "B" NIL NIL NIL "BASE64" 3) "MIXED" ("boundary" "x") NIL NIL)`,
	`("MESSAGE" "RFC822" NIL NIL NIL "8BIT" 10 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "HTML" NIL NIL NIL "7BIT" 2 1) 3)`,
	`1:3,5,7:6`, `4294967295`, `(\Seen $a \Recent \*)`, `(\HasChildren) "/" "a" ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("b"))`,
	`(("" "/")) NIL (("x." "." "EXT" ("a")))`, `"r" (STORAGE 1 2)`, `INBOX (MESSAGES 1 UIDNEXT 2 MAILBOXID (F1) APPENDLIMIT NIL)`,
	`(TAG "a1") UID MIN 1 MAX 9 COUNT 3 ALL 1:9 PARTIAL (1:2 NIL) MODSEQ 7 X (1)`, `1 2 3 (MODSEQ 4)`, `(2)(3 6 (4 23)(44 7 96))`,
	`((3)(5))`, `(EARLIER) 41,43:116`, `INBOX a lrs b r`, `"" ("/shared/x" NIL "/private/y" {2}` + "\r\nab)",
	`OK [COPYUID 38505 304,319:320 3956:3958] done`, `NO [X "]" (a]b)] text`,
}

func FuzzConsume(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		line := append(slices.Clone(b), "\r\n"...)
		checkSpans(t, line)
		checkSets(t, line)
		checkPrefixes(t, line)
		name := Namer(func(b []byte) string { s, _ := MailboxName(b, false); return s })
		_, _ = ParseList(line, name)
		_, _ = ParseMailboxStatus(line, name)
		_, _ = ParseNamespaces(line, name)
		_, _ = ParseQuota(line)
		_, _, _ = ParseNamed(line, name, 100)
		_, _, _, _ = ParseMetadata(line, name, 100)
		_, _ = ParseID(line, 100)
		_, _ = ParseESearch(line, true, 1000)
		r, _ := ParseStatus(line)
		for _, c := range r.Text {
			if c < ' ' {
				t.Errorf("control character in %q", r.Text)
			}
		}
		ParseCopyUID(r.Args)
		ParseAppendUID(r.Args)
		if wire, same := MailboxName(b, false); same && !bytes.EqualFold(b, []byte("INBOX")) && string(imapwire.AppendUTF7(nil, wire)) != string(b) {
			t.Errorf("%q is not %q", wire, b)
		}
	})
}

// checkSpans: what reads a value takes exactly what SkipValue skips.
func checkSpans(t *testing.T, b []byte) {
	n, err := SkipValue(b)
	if err == nil && (n < 1 || n > len(b)) {
		t.Fatalf("SkipValue takes %d of %d", n, len(b))
	}
	for what, take := range map[string]func([]byte) (int, error){
		"envelope": func(b []byte) (int, error) { _, n, err := ConsumeEnvelope(b); return n, err },
		"body":     func(b []byte) (int, error) { _, n, err := ConsumeBody(b); return n, err },
		"nstring":  func(b []byte) (int, error) { _, n, err := ConsumeNString(b); return n, err },
		"flags":    func(b []byte) (int, error) { return ConsumeFlags(b, &imap.FlagList{}, nil, 1000) },
		"objectid": func(b []byte) (int, error) { _, n, err := ConsumeObjectID(b); return n, err },
	} {
		m, merr := take(b)
		if merr == nil && err == nil && len(b) > 0 && b[0] != ' ' && m != n {
			t.Errorf("%s takes %d, SkipValue %d of %q", what, m, n, b)
		}
		if merr == nil && err != nil {
			t.Errorf("%s takes %d of %q, SkipValue says %v", what, m, b, err)
		}
	}
}

// checkSets: a set is the same as one that is made number by number.
func checkSets(t *testing.T, b []byte) {
	set, n, err := ConsumeUIDSet(b, 100)
	if err != nil || set.Len() > 10_000 {
		return
	}
	var naive imap.UIDSet
	for _, r := range strings.Split(string(b[:n]), ",") {
		lo, hi, ok := strings.Cut(r, ":")
		if !ok {
			hi = lo
		}
		x, _ := strconv.ParseUint(lo, 10, 32)
		y, _ := strconv.ParseUint(hi, 10, 32)
		naive.AddRange(imap.UID(x), imap.UID(y))
	}
	if !slices.Equal(set, naive) {
		t.Errorf("%q: %v, want %v", b, set, naive)
	}
	order, _, err := consumeOrder(b, 10_000)
	if err == nil && !slices.Equal(imap.UIDSet(set), setOf(order)) {
		t.Errorf("%q: order %v", b, order)
	}
}

func setOf(order []imap.UID) (set imap.UIDSet) {
	for _, u := range order {
		set.Add(u)
	}
	return set
}

// checkPrefixes: a value that is cut off is never taken for a whole one of other
// length, nor for one that breaks the grammar.
func checkPrefixes(t *testing.T, b []byte) {
	n, err := SkipValue(b)
	if err != nil || len(b) > 300 {
		return
	}
	for i := range n {
		if m, err := SkipValue(b[:i]); err == nil && m != n || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%q: %d, %v; whole %d", b[:i], m, err, n)
		}
	}
}

func FuzzThread(f *testing.F) {
	f.Add("(2)(3 6 (4 23)(44 7 96))")
	f.Add("((3)(5))(1(2)(3))")
	f.Fuzz(func(t *testing.T, s string) {
		threads, err := ParseThread([]byte(s+"\r\n"), 1000)
		if err != nil {
			return
		}
		// Each number of the text is there once.
		var got, want []string
		var walk func([]*imap.Thread)
		walk = func(list []*imap.Thread) {
			for _, n := range list {
				if n.UID != 0 {
					got = append(got, strconv.Itoa(int(n.UID)))
				}
				walk(n.Replies)
			}
		}
		walk(threads)
		end := strings.IndexAny(s+"\r", "\r\n")
		want = strings.FieldsFunc(s[:end], func(r rune) bool { return r == ' ' || r == '(' || r == ')' })
		for i, w := range want {
			v, _ := strconv.ParseUint(w, 10, 32)
			want[i] = strconv.FormatUint(v, 10)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v", s, got)
		}
	})
}
