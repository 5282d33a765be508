package imapresp

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/imapwire"
)

// FuzzWords: strings come back as they were written, and a limit is one.
func FuzzWords(f *testing.F) {
	f.Add([]byte(` a "b\"" {1}`+"\r\n)"), "x|y z|\x00")
	f.Fuzz(func(t *testing.T, b []byte, text string) {
		line := append(slices.Clone(b), "\r\n"...)
		words, err := ParseWords(line, 100)
		if _, named, nerr := ParseNamed(append([]byte("x "), line...), func(b []byte) string { return string(b) }, 100); err == nil && nerr == nil && !slices.Equal(words, named) {
			t.Errorf("%q: %q, ParseNamed %q", b, words, named)
		}
		want := append(words, strings.Split(text, "|")...)
		var wire []byte
		for _, w := range want {
			wire = append(wire, ' ')
			if bytes.ContainsAny([]byte(w), "\r\n\x00") {
				wire = append(fmt.Appendf(wire, "{%d}\r\n", len(w)), w...)
			} else {
				wire = imapwire.AppendQuoted(wire, w)
			}
		}
		wire = append(wire, "\r\n"...)
		if got, err := ParseWords(wire, len(want)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", wire, got, err, want)
		}
		if _, err := ParseWords(wire, len(want)-1); !errors.Is(err, ErrTooMany) {
			t.Errorf("%q: %v", wire, err)
		}
	})
}

// FuzzUIDBatches: ranges come back in their order, and hold no other UIDs.
func FuzzUIDBatches(f *testing.F) {
	f.Add([]byte(` (TAG "a1") 9:5,4:1`))
	f.Add([]byte(` (TAG "a1")`))
	f.Add([]byte(` (TAG "a1") 9:*`))
	f.Add([]byte(` 9:5`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseUIDBatches(append(slices.Clone(b), "\r\n"...), 100)
		if err != nil {
			if got != nil {
				t.Errorf("%q: %v and %v", b, got, err)
			}
			return
		}
		wire := []byte(` (TAG "x")`)
		for i, r := range got {
			if r.First == 0 || r.First > r.Last {
				t.Errorf("%q: %v", b, got)
			}
			wire = fmt.Appendf(wire, "%c%d:%d", " ,"[min(i, 1)], r.Last, r.First)
		}
		for _, end := range []string{"\r\n", "\n"} {
			if again, err := ParseUIDBatches(append(wire, end...), len(got)); err != nil || !slices.Equal(again, got) {
				t.Errorf("%q: %v, %v", wire, again, err)
			}
		}
	})
}

// FuzzURLFetch: a text that follows is told as one that stands within, and what is
// beside it is the same.
func FuzzURLFetch(f *testing.F) {
	f.Add("imap://a/b", "abc", byte(0), []byte(` "u" (BODY "x") (BODYPARTSTRUCTURE NIL)`))
	f.Add("u", "\x00\r\n)", byte(3), []byte(` "u" NIL`))
	f.Add("u\r\n{1}", "", byte(6), []byte(` {1}`+"\r\nu {2}\r\nab"))
	f.Add("u", ")", byte(7), []byte(` u (BINARY ~{0}`+"\r\n)"))
	f.Fuzz(func(t *testing.T, url, text string, form byte, b []byte) {
		for _, first := range []bool{true, false} {
			for _, more := range []bool{true, false} {
				_, _ = ParseURLFetch(b, first, more)
				_, _ = ParseURLFetch(append(slices.Clone(b), "\r\n"...), first, more)
			}
		}
		const structure = `(BODYPARTSTRUCTURE ("TEXT" "PLAIN" NIL NIL NIL "7BIT" 2 1))`
		head := fmt.Appendf(nil, " {%d}\r\n%s ", len(url), url)
		if form&1 != 0 {
			head = append(head, structure+" "...)
		}
		end := "\r\n"
		if form&2 != 0 {
			head, end = append(head, "(BINARY ~"...), ")"+end
		}
		if form&4 != 0 && form&3 != 1 {
			end = ") " + structure + "\r\n"
			if form&2 == 0 {
				head = append(head, "(BODY "...)
			}
		}
		head = fmt.Appendf(head, "{%d}\r\n", len(text))
		whole, err := ParseURLFetch([]byte(string(head)+text+end), true, false)
		one, err1 := ParseURLFetch(head, true, true)
		two, err2 := ParseURLFetch([]byte(end), false, false)
		if err != nil || err1 != nil || err2 != nil {
			t.Fatalf("%q %q %q: %v, %v, %v", head, text, end, err, err1, err2)
		}
		if string(whole.Text.Here) != text || one.Text == nil || !one.Text.Behind || one.Text.Size != int64(len(text)) || two.Text != nil {
			t.Errorf("%q %q: %+v, %+v, %+v", head, text, whole.Text, one.Text, two.Text)
		}
		if one.Structure == nil {
			one.Structure = two.Structure
		}
		if !whole.Found || !one.Found || !reflect.DeepEqual(whole.Structure, one.Structure) || (whole.Structure != nil) != (form&1 != 0 || form&4 != 0) {
			t.Errorf("%q %q: %+v, %+v", head, end, whole, one)
		}
	})
}
