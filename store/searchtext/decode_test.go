package searchtext

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // every charset that it knows
	"golang.org/x/text/encoding/ianaindex"

	"github.com/mailstead/mailstead/internal/mime"
)

// decoded is what go-message makes of the same octets.
func decoded(encoding, charset string, in []byte) string {
	var head message.Header
	head.SetContentType("text/plain", map[string]string{"charset": charset})
	head.Set("Content-Transfer-Encoding", encoding)
	e, _ := message.New(head, bytes.NewReader(in))
	out, _ := io.ReadAll(e.Body)
	return string(out)
}

func part(encoding, charset string) *mime.Entity {
	return &mime.Entity{Encoding: []byte(encoding), Params: []mime.Param{{Name: []byte("charset"), Value: []byte(charset)}}}
}

// TestDecoder: one decoder reads part after part as go-message reads each, in
// whatever pieces they come, and also behind a part that is broken.
func TestDecoder(t *testing.T) {
	long := strings.Repeat("Grüße 漢字 かな, ", 1000)
	var d decoder
	for _, charset := range []string{"utf-8", "ISO-8859-1", "koi8-r", "gb18030", "big5", "iso-2022-jp", "shift_jis", "utf-16", "windows-1252", "x-none"} {
		raw := []byte(long)
		if enc, err := ianaindex.MIME.Encoding(charset); err == nil && enc != nil {
			raw, _ = enc.NewEncoder().Bytes([]byte(strings.Map(func(r rune) rune {
				if _, err := enc.NewEncoder().String(string(r)); err != nil {
					return '?'
				}
				return r
			}, long)))
		}
		var qp bytes.Buffer
		w := quotedprintable.NewWriter(&qp)
		_, _ = w.Write(raw)
		w.Close()
		b64 := base64.StdEncoding.EncodeToString(raw)
		for name, in := range map[string]string{
			"": string(raw), "quoted-printable": qp.String(), "Base64": b64[:100] + "\r\n \t" + b64[100:] + "\r\n", "x-none": string(raw),
		} {
			want := decoded(name, charset, []byte(in))
			for _, r := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
				_, _ = io.ReadAll(d.reader(part(name, charset), strings.NewReader("\xff=X?")))
				got, err := io.ReadAll(d.reader(part(name, charset), r))
				if string(got) != want || err != nil || want == "" {
					t.Errorf("%s, %q: %d octets, %v; want %d", charset, name, len(got), err, len(want))
				}
			}
		}
	}
}

// FuzzDecoder: the pieces that a text comes in make no difference.
func FuzzDecoder(f *testing.F) {
	f.Add("base64", "utf-16", []byte("AGEAYg=="))
	f.Add("quoted-printable", "iso-2022-jp", []byte("=1B$B4A=\r\nx"))
	f.Add("", "gb18030", []byte("\x81\x30\x81"))
	f.Fuzz(func(t *testing.T, encoding, charset string, in []byte) {
		if strings.ContainsAny(encoding+charset, "\r\n\x00") || strings.TrimSpace(encoding) != encoding || strings.TrimSpace(charset) != charset {
			return
		}
		var d decoder
		got, _ := io.ReadAll(d.reader(part(encoding, charset), bytes.NewReader(in)))
		again, _ := io.ReadAll(d.reader(part(encoding, charset), iotest.OneByteReader(bytes.NewReader(in))))
		if !bytes.Equal(got, again) {
			t.Fatalf("in one piece %q, octet by octet %q", got, again)
		}
	})
}
