package searchtext

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mailstead/mailstead/store"
)

// TestFoldTwice: a needle may be folded by everybody on its way.
func TestFoldTwice(t *testing.T) {
	last := rune(unicode.MaxRune)
	if testing.Short() {
		last = 0x2FFFF
	}
	for r := rune(0); r <= last; r++ {
		once := Fold(string(r))
		if twice := Fold(once); twice != once {
			t.Errorf("%U: %U, then %U", r, []rune(once), []rune(twice))
		}
	}
}

// TestFolder: the pieces that a text comes in make no difference.
func TestFolder(t *testing.T) {
	for _, text := range []string{"Grüße, ÄÖÜ 漢字 😀", "\xff\xfea\xc3", "é\xe6\xbc", "plain"} {
		want := ""
		for size := 1; size <= len(text)+1; size++ {
			var f Folder
			var got []byte
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				got = f.Append(got, []byte(rest[:n]))
				rest = rest[n:]
			}
			f.End()
			if want == "" {
				want = string(got)
			}
			if string(got) != want {
				t.Errorf("%q in pieces of %d: %q, in pieces of 1 %q", text, size, got, want)
			}
		}
	}
}

// content is a message in memory.
type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

const letter = "From: =?iso-8859-1?q?J=FCrgen?= <j@example.org>\r\n" +
	"Subject: =?utf-8?b?w4RwZmVs?=\r\n folded\r\n" +
	"Content-Type: multipart/mixed; boundary=x\r\n\r\n" +
	"preamble is no text\r\n--x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nX-A: Of=?utf-8?q?_a?= Part\r\n\r\nGr\xfc\xdfe\r\n" +
	"--x\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nSEVMTE8=\r\n" +
	"--x\r\nContent-Type: application/octet-stream\r\n\r\nbinary\r\n--x--\r\n"

func extract(t *testing.T, prefix, body string, limit int) (Text, *store.Message, store.Content) {
	t.Helper()
	d, err := store.Describe(strings.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	meta, _ := store.DecodeMeta(d.Meta)
	c := content{bytes.NewReader([]byte(prefix + body))}
	text, err := Extract(c, int64(len(prefix)), &meta, limit)
	if err != nil {
		t.Fatal(err)
	}
	return text, &store.Message{Prefix: []byte(prefix), Meta: d.Meta}, c
}

func TestExtract(t *testing.T) {
	const prefix = "Return-Path: <Zoe@Example.org>\r\n"
	text, m, c := extract(t, prefix, letter, 1<<20)
	if text.Cut {
		t.Error("cut")
	}
	for _, tt := range []struct {
		text         string
		header, body bool
	}{
		{"return-path: <zoe@example.org>", true, false},
		{"JÜRGEN <j@", true, false},
		{"subject: äpfel folded", true, false},
		{"GRÜSSE", false, false},
		{"grüße", false, true},
		{"hello", false, true},
		{"x-a: of", false, true},
		{"preamble", false, false},
		{"binary", false, false},
		{"grüße\r\nhello", false, false},
		{"folded\r\ncontent", false, false},
	} {
		needle := []byte(Fold(tt.text))
		if got := bytes.Contains(text.Header, needle); got != tt.header {
			t.Errorf("%q in the header: %v", tt.text, got)
		}
		if got := bytes.Contains(text.Body, needle); got != tt.body {
			t.Errorf("%q in the body: %v", tt.text, got)
		}
		for in, want := range map[store.TextPart]bool{
			store.TextHeader: tt.header, store.TextBody: tt.body, store.TextAnywhere: tt.header || tt.body,
		} {
			for _, meta := range [][]byte{m.Meta, nil} {
				got, err := Matcher(tt.text, in)(t.Context(), &store.Message{Prefix: m.Prefix, Meta: meta}, c)
				if err != nil || got != want {
					t.Errorf("Matcher %q in part %d, Meta of %d octets: %v, %v", tt.text, in, len(meta), got, err)
				}
			}
		}
	}
}

// TestExtractIsBounded: what is cut is cut between characters, and said.
func TestExtractIsBounded(t *testing.T) {
	body := "Subject: x\r\n\r\n" + strings.Repeat("é", 1000)
	for limit := 20; limit < 40; limit++ {
		text, _, _ := extract(t, "", body, limit)
		if !text.Cut || len(text.Body) > limit || len(text.Body) < limit-4 || !bytes.HasPrefix([]byte(strings.Repeat("é", 50)), text.Body) {
			t.Errorf("limit %d: cut %v, %d octets %q", limit, text.Cut, len(text.Body), text.Body)
		}
	}
	if text, _, _ := extract(t, "", "Subject: "+strings.Repeat("x", 100)+"\r\nTo: a\r\n\r\nb", 50); !text.Cut || len(text.Header) != 50 {
		t.Errorf("a long header: cut %v, %d octets", text.Cut, len(text.Header))
	}
}

// FuzzExtract: whatever Extract takes out of a message is found in it by
// Matcher, and it takes no more than it may.
func FuzzExtract(f *testing.F) {
	f.Add("Return-Path: <Zoe@Example.org>\r\n", letter, uint16(100), uint16(9), uint8(5))
	f.Add("", "Subject: =?utf-8?b?w4Q=?=\n\n--\xff\xc3", uint16(20), uint16(1), uint8(3))
	f.Add("", "Content-Type: message/rfc822\r\n\r\nSubject: \xe9 a\r\n\r\nx=\r\ny", uint16(300), uint16(4), uint8(40))
	f.Fuzz(func(t *testing.T, prefix, body string, limit, at uint16, n uint8) {
		text, m, c := extract(t, prefix, body, int(limit))
		for in, got := range map[store.TextPart][]byte{store.TextHeader: text.Header, store.TextBody: text.Body} {
			if len(got) > int(limit)+1 { // and its Separator
				t.Fatalf("part %d: %d octets, want at most %d", in, len(got), limit)
			}
			from := min(int(at), len(got))
			needle := got[from:min(from+int(n), len(got))]
			if i := bytes.IndexByte(needle, Separator); i >= 0 {
				needle = needle[:i]
			}
			if len(needle) == 0 || !utf8.Valid(needle) {
				continue
			}
			if found, err := Matcher(string(needle), in)(t.Context(), m, c); err != nil || !found {
				t.Fatalf("%q is in the text of part %d, and Matcher says %v, %v", needle, in, found, err)
			}
		}
	})
}

// TestFoldRune: the short ways of foldRune are those of package unicode.
func TestFoldRune(t *testing.T) {
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if utf8.ValidRune(r) && foldRune(r) != unicode.ToLower(unicode.ToUpper(r)) && r >= utf8.RuneSelf {
			t.Fatalf("%U: %U", r, foldRune(r))
		}
	}
}

// FuzzFold: folding eight octets at a time, or in pieces, is folding character
// by character.
func FuzzFold(f *testing.F) {
	f.Add("The QUICK brown Fox @[`{ \xff Größe ΣΑΣ \u212a K", uint8(3))
	f.Fuzz(func(t *testing.T, s string, size uint8) {
		var want []byte
		for _, r := range s {
			want = utf8.AppendRune(want, unicode.ToLower(unicode.ToUpper(r)))
		}
		if got := AppendFold(nil, []byte(s)); string(got) != string(want) {
			t.Fatalf("%q: %q, want %q", s, got, want)
		}
		var folder Folder
		got := []byte("x")
		for part := range slices.Chunk([]byte(s), int(size)+1) {
			got = folder.Append(got, part)
		}
		if utf8.ValidString(s) && string(got) != "x"+string(want) {
			t.Fatalf("%q in pieces of %d: %q", s, size+1, got)
		}
	})
}
