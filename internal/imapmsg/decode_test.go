package imapmsg

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store"
)

// decode returns the decoded octets of a part of the one message.
func decode(t *testing.T, box *Mailbox, path ...uint32) (text string, ok bool, err error) {
	t.Helper()
	each(t, box, store.FieldContent|store.FieldMeta, func(m *Message) {
		var d Decoded
		if d, ok, err = m.Decode(t.Context(), path); !ok || err != nil {
			return
		}
		for range 2 { // again and again the same
			b, rerr := io.ReadAll(d.Reader())
			if rerr != nil || int64(len(b)) != d.Size || d.NUL != bytes.Contains(b, []byte{0}) {
				t.Errorf("%d octets, %v; measured %+v", len(b), rerr, d)
			}
			text = string(b)
		}
	})
	return text, ok, err
}

func TestDecode(t *testing.T) {
	const head = "MIME-Version: 1.0\r\nContent-Transfer-Encoding: "
	for _, tt := range []struct {
		encoding, body, want string
		err                  error
	}{
		{"7bit", "a=3D\r\n", "a=3D\r\n", nil},
		{"BINARY", "a\x00b", "a\x00b", nil},
		{"base64", "Ym9k\r\neQ==\r\n", "body", nil},
		{"base64", "Y m9k,eQ", "body", nil},
		{"base64", "AAEC", "\x00\x01\x02", nil},
		{"base64", "Ym9keQ==\r\n-- \r\nfooter", "body", nil},
		{"base64", "Ym9ke", "", ErrEncoding},
		{"base64", "", "", nil},
		{"quoted-printable", "a=3Db=\r\nc\r\nd", "a=bc\r\nd", nil},
		{"quoted-printable", "a=ZZ", "a=ZZ", nil}, // shown as it stands
		{"x-uuencode", "begin", "", ErrEncoding},
	} {
		box, _ := mailbox(t, prefix, head+tt.encoding+"\r\n\r\n"+tt.body)
		got, ok, err := decode(t, box, 1)
		if !ok || !errors.Is(err, tt.err) || tt.err == nil && (err != nil || got != tt.want) {
			t.Errorf("%s of %q: %q, %v, %v", tt.encoding, tt.body, got, ok, err)
		}
		if _, ok, err := decode(t, box, 2); ok || err != nil {
			t.Errorf("a part that is not there: %v, %v", ok, err)
		}
		whole := prefix + head + tt.encoding + "\r\n\r\n" + tt.body
		if got, ok, err := decode(t, box); got != whole || !ok || err != nil {
			t.Errorf("the whole message: %q, %v, %v", got, ok, err)
		}
	}
}

// What holds other parts stands for itself.
func TestDecodeParts(t *testing.T) {
	box, _ := mailbox(t, prefix, body)
	for _, tt := range []struct {
		path []uint32
		want string
	}{
		{[]uint32{1}, "one"},
		{[]uint32{2}, "Subject: in\r\n\r\ntwo"},
		{[]uint32{2, 1}, "two"},
	} {
		if got, ok, err := decode(t, box, tt.path...); got != tt.want || !ok || err != nil {
			t.Errorf("%v: %q, %v, %v", tt.path, got, ok, err)
		}
	}
}

// What the standard library encodes comes back, whatever white space is put
// into base64; other text ends in ErrEncoding or in octets, never in a panic.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("body\x00\r\nmore"), byte(3))
	f.Add([]byte("=\r\n=3D"), byte(0))
	f.Fuzz(func(t *testing.T, b []byte, gap byte) {
		text := base64.StdEncoding.EncodeToString(b)
		if gap > 0 {
			var spaced strings.Builder
			for i := 0; i < len(text); i += int(gap) {
				spaced.WriteString(text[i:min(i+int(gap), len(text))] + "\r\n ")
			}
			text = spaced.String()
		}
		got, err := io.ReadAll(base64.NewDecoder(base64.RawStdEncoding, &base64Text{r: strings.NewReader(text)}))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%q became %q, %v", b, got, err)
		}
		_, _ = io.ReadAll(base64.NewDecoder(base64.RawStdEncoding, &base64Text{r: bytes.NewReader(b)}))
		_, _ = io.ReadAll(quotedprintable.NewReader(bytes.NewReader(b)))
	})
}
