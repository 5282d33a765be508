package foreign

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestFetchids(t *testing.T) {
	text := "joe@pop.example 0001\nann smith@isp@POP.example a@b<c> rest\n\n  JOE@pop.example  0002\n"
	got, err := Fetchids(".fetchids", text)
	if err != nil || len(got) != 2 {
		t.Fatal(got, err)
	}
	for i, want := range []string{"1 joe@pop.example [{0001  0001-01-01 00:00:00 +0000 UTC} {0002  0001-01-01 00:00:00 +0000 UTC}]", "2 ann smith@isp@POP.example [{a@b<c>  0001-01-01 00:00:00 +0000 UTC}]"} {
		if s := fmt.Sprint(got[i].Line, " ", got[i].Account(), " ", got[i].IDs); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	}
	for text, line := range map[string]int{"a@b c\nnonsense": 2, "a@b": 1, "@b c": 1, "a@ b": 1, "a b@c": 1, "a@b \x01": 1} {
		_, err := Fetchids("f", text)
		if e, ok := errors.AsType[*Error](err); !ok || e.Line != line || e.File != "f" {
			t.Errorf("%q: %v, want line %d", text, err, line)
		}
	}
}

func TestOldmail(t *testing.T) {
	got, err := Oldmail("/x/oldmail-h-995-ann", "a b-c\x0017\n\n12/34\x0018\n12/In/box/35\x0019\n")
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, id := range got.IDs {
		s = append(s, fmt.Sprint(id.Validity, ",", id.ID, ",", id.At.Unix()))
	}
	if text := got.Account() + " " + strings.Join(s, " "); text != "h-995-ann ,a b-c,17 12,34,18 12,35,19" {
		t.Error(text)
	}
	for _, tt := range []struct {
		file, text string
		line       int
	}{{"ids", "a\x001", 1}, {"oldmail-a", "a\x001\nb 1", 2}, {"oldmail-a", "a\x00x", 1}, {"oldmail-a", "a\x00-1", 1}, {"oldmail-a", "1/x\x001", 1}, {"oldmail-a", "0/1\x001", 1}, {"oldmail-a", "\x001", 1}} {
		_, err := Oldmail(tt.file, tt.text)
		if e, ok := errors.AsType[*Error](err); !ok || e.Line != tt.line || e.File != tt.file {
			t.Errorf("%q: %v, want line %d", tt.text, err, tt.line)
		}
	}
	if n := OldmailName("h::1", 993, "a/b|c"); n != "h-1-993-a-b-c" {
		t.Error(n)
	}
}

func FuzzSeen(f *testing.F) {
	f.Add("joe@pop.example 0001\nann smith@isp@POP.example a@b\n")
	f.Add("a b-c\x0017\n12/34\x0018\n12/In/box/35\x0019\n")
	f.Fuzz(func(t *testing.T, text string) {
		lists, err := Fetchids("f", text)
		checkSeen(t, text, err, lists...)
		one, err := Oldmail("oldmail-x", text)
		if err == nil {
			checkSeen(t, text, nil, one)
		} else {
			checkSeen(t, text, err)
		}
	})
}

func checkSeen(t *testing.T, text string, err error, lists ...*Seen) {
	t.Helper()
	lines := 1 + strings.Count(text, "\n")
	if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Line < 1 || e.Line > lines) {
		t.Fatalf("error %v, %d lines", err, lines)
	}
	n := 0
	for _, s := range lists {
		for _, id := range s.IDs {
			if n++; id.ID == "" || n > lines || s.Account() == "" {
				t.Fatalf("%+v", s)
			}
		}
	}
}
