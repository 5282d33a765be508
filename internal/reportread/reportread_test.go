package reportread

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

const message = "Subject: x\r\nContent-Type: multipart/report; report-type=Delivery-Status; boundary=b\r\n\r\n" +
	"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=C3=A9\r\n" +
	"--b\r\nContent-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogMQ0K!!!!\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nFrom: y\r\nContent-Type: text/plain\r\n\r\ninner\r\n--b--\r\n"

func TestParts(t *testing.T) {
	m, err := Open(strings.NewReader(message), int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var got []string
	for p := range m.Parts() {
		header, whole, ok := p.Reported()
		switch {
		case p.Type == "multipart/report":
			got = append(got, "report "+p.Report)
		case ok && whole:
			got = append(got, "reported "+string(header))
		case p.Nested:
			got = append(got, "nested "+p.Type)
		default:
			got = append(got, p.Type+" "+string(p.Text(100)))
		}
	}
	want := []string{"report delivery-status", "text/plain café", "message/delivery-status A: 1\r\n", "reported From: y\r\nContent-Type: text/plain\r\n", "nested text/plain"}
	if strings.Join(got, "|") != strings.Join(want, "|") || m.Err() != nil {
		t.Errorf("%q, %v", got, m.Err())
	}
	if h := string(m.Header()); !strings.HasPrefix(h, "Subject: x\r\n") {
		t.Errorf("header %q", h)
	}
}

func TestHeaderOf(t *testing.T) {
	long := strings.Repeat("X: "+strings.Repeat("y", 97)+"\r\n", MaxHeader/102+1)[:MaxHeader]
	for in, want := range map[string]int{"A: 1\nB: 2\n\nbody": 10, "A: 1\r\n": 6, "": 0, "\r\nbody": 0, long: MaxHeader / 102 * 102} {
		if got := HeaderOf([]byte(in)); len(got) != want {
			t.Errorf("%.20q: %d octets, want %d", in, len(got), want)
		}
	}
}

// flaky fails behind what Open has read.
type flaky struct {
	r    *strings.Reader
	fail bool
}

func (f *flaky) ReadAt(p []byte, off int64) (int, error) {
	if f.fail {
		return 0, io.ErrClosedPipe
	}
	return f.r.ReadAt(p, off)
}

// That the reader fails is told from a part that cannot be decoded.
func TestErr(t *testing.T) {
	f := &flaky{r: strings.NewReader(message)}
	m, err := Open(f, int64(len(message)))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	f.fail = true
	for p := range m.Parts() {
		p.Text(100)
	}
	if !errors.Is(m.Err(), io.ErrClosedPipe) {
		t.Errorf("%v", m.Err())
	}
}

func FuzzParts(f *testing.F) {
	f.Add([]byte(message))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		for p := range m.Parts() {
			if n := len(p.Text(1000)); n > 1000 {
				t.Fatal(n)
			}
			if h, _, ok := p.Reported(); ok && (len(h) > MaxHeader || bytes.Contains(h, []byte("\n\n"))) {
				t.Fatalf("%q", h)
			}
		}
		if m.Err() != nil {
			t.Fatal(m.Err())
		}
	})
}
