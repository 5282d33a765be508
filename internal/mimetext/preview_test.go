package mimetext

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/mime"
)

func walk(tb testing.TB, msg string) *mime.Tree {
	tb.Helper()
	root, err := mime.Walk(strings.NewReader(msg), int64(len(msg)), mime.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

func TestPreview(t *testing.T) {
	long := strings.Repeat("w\u00f6rd ", 100)
	for _, tt := range []struct{ in, want string }{
		{"\n  Hello,\n\n\tworld!  \n", "Hello, world!"},
		{"\n", ""},
		{"Content-Type: image/png\n\nx", ""},
		{"Content-Type: text/plain; charset=utf-8\n\n" + long, strings.TrimSpace(string([]rune(long)[:200]))},
		{"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 =\nau lait", "caf\u00e9 au lait"},
		{"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: BASE64\n\nw6TDtsO8\nIGFiY", "\u00e4\u00f6\u00fc ab"},
		{"Content-Type: text/plain; charset=x-unknown\n\nabc \xe4", "abc \ufffd"},
		{"Content-Type: text/html\n\n<html><head><title>no</title><style>no{}</style></head><body><p>Hi&nbsp;<b>th</b>ere</p><script>no()</script><br/>&lt;you&gt;<!-- no -->", "Hi there <you>"},
		{"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment\n\nno\n--b\n\n \n--b\nContent-Type: text/html\n\n<p>yes\n--b--", "yes"},
		{"\na\x00\x1b[31mb\u202ec", "a[31mbc"},
	} {
		msg := strings.ReplaceAll(tt.in, "\n", "\r\n")
		root := walk(t, msg)
		got, err := Preview(strings.NewReader(msg), root)
		if err != nil || got != tt.want {
			t.Errorf("%q\n got %q, %v\nwant %q", tt.in, got, err, tt.want)
		}
	}
	root := walk(t, "\r\nabc")
	if _, err := Preview(strings.NewReader(""), root); err == nil {
		t.Error("a short reader is an error")
	}
}

// FuzzPreview: a preview is valid, and not too long.
func FuzzPreview(f *testing.F) {
	f.Add([]byte("Content-Type: text/html; charset=koi8-r\r\n\r\n<p>\xc1 b"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\nw6k=\r\n--b--"))
	f.Fuzz(func(t *testing.T, msg []byte) {
		text, err := Preview(bytes.NewReader(msg), walk(t, string(msg)))
		if n := len([]rune(text)); err != nil || n > previewChars || strings.ToValidUTF8(text, "") != text {
			t.Fatalf("preview %q, %v", text, err)
		}
	})
}

func BenchmarkPreview(b *testing.B) {
	msg := "Content-Type: text/plain; charset=utf-8\r\n\r\n" + strings.Repeat("The quick brown fox jumps over the lazy dog, and then it rests a while.\r\n", 50)
	r := strings.NewReader(msg)
	root := walk(b, msg)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Preview(r, root); err != nil {
			b.Fatal(err)
		}
	}
}
