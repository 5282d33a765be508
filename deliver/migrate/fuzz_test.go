package migrate

import (
	"bytes"
	"io"
	"reflect"
	"testing"
	"time"
)

// FuzzPage: whatever stands in a note, decoding returns; what it accepts is
// written and read alike.
func FuzzPage(f *testing.F) {
	p := &page{}
	p.add(record{ID: "1", Ref: "a", Flags: 1, Keywords: []string{"x"}, Size: 3, Print: 7, Received: time.Unix(1, 0).UTC()})
	p.add(record{ID: "12", State: double, Size: -1})
	f.Add(p.encode())
	f.Add([]byte{pageVersion, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePage(b)
		if err != nil {
			return
		}
		again, err := decodePage(p.encode())
		if err != nil || !reflect.DeepEqual(again.records, p.records) {
			t.Errorf("%+v became %+v, %v", p.records, again, err)
		}
	})
}

// FuzzPrint: a message has one Print and one Digest, with LF as with CRLF, whether
// it is read at once or octet by octet.
func FuzzPrint(f *testing.F) {
	for _, text := range []string{"", "Subject: x\n\nbody\n", "Message-ID:\n <a@b>\nDate: Mon, 1 Jan 2024 00:00:00 +0000\n\n\n\n", "Received: x; Mon, 1 Jan 2024 00:00:00 +0000\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.IndexByte(text, '\r') >= 0 || len(text) > 1<<15 {
			return
		}
		wire := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		want := examine(t, bytes.NewReader(text))
		for name, r := range map[string]io.Reader{"CRLF": bytes.NewReader(wire), "octets": &octets{wire}} {
			if got := examine(t, r); got != want {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
		}
		head, err := ReadHeader(&octets{wire})
		if err != nil || !DateOf(head).Equal(DateOf(text)) || MakePrint(head, int64(len(wire)), time.Time{}) != want.Print {
			t.Errorf("the header alone tells otherwise: %q, %v", head, err)
		}
	})
}

func examine(t *testing.T, r io.Reader) Examined {
	var x Examiner
	e, err := x.Examine(r, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// octets is a reader of one octet at a time.
type octets struct{ b []byte }

func (o *octets) Read(p []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(1, len(p))], o.b)
	o.b = o.b[n:]
	return n, nil
}
