package imaptest

import (
	"bufio"
	"net"
	"strings"
	"testing"
)

// play runs a script against a server that answers each line with "* " and the
// line, and closes after "quit".
func play(t *testing.T, text string, bytes bool) error {
	t.Helper()
	s, err := Parse("test.txt", text)
	if err != nil {
		t.Fatal(err)
	}
	p := Player{Bytes: bytes, Dial: func() (net.Conn, error) {
		a, b := net.Pipe()
		go func() {
			defer b.Close()
			for sc := bufio.NewScanner(b); sc.Scan() && sc.Text() != "quit"; {
				if _, err := b.Write([]byte("* " + sc.Text() + "\r\n")); err != nil {
					return
				}
			}
		}()
		return a, nil
	}}
	return p.Play(s)
}

func TestPlay(t *testing.T) {
	good := "# a: b\n# plain\n\nC: one\nS: * one\n2C: two\nR: \"th\\x72ee\\r\\n\"\n2S~ \\* t.o\nS: * three\nC: quit\nX:\n"
	for _, bytes := range []bool{false, true} {
		if err := play(t, good, bytes); err != nil {
			t.Error(err)
		}
	}
	for text, want := range map[string]string{
		"C: one\nS: * on":      `test:2: got "* one", want "* on"`,
		"C: one\nS~ \\* on":    `test:2: got "* one", want`,
		"C: one\nX:":           "want the end of the connection",
		"C: quit\nS: * quit":   "test:2: after",
		"C: one\nS: * one\nT:": "no TLS",
	} {
		if err := play(t, text, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{"Q: x", "R: x", "S~ (", "1"} {
		if _, err := Parse("bad.txt", text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if s, _ := Parse("x.txt", "# config: small\n"); s.Header["config"] != "small" {
		t.Errorf("header %v", s.Header)
	}
}
