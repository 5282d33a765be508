package mbox_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mailstead/mailstead/store/mbox"
)

const from = "From a@example.org Sat Jan  3 01:05:34 1996\n"

// readAll returns the messages of a file.
func readAll(t testing.TB, r io.Reader, o mbox.Options) (list []string, ignored int) {
	t.Helper()
	in := mbox.NewReader(r, o)
	for {
		m, err := in.Next()
		if err == io.EOF {
			return list, ignored
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(m)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(b))
		if m.LengthIgnored {
			ignored++
		}
	}
}

func TestReader(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct {
		name   string
		format mbox.Format
		file   string
		want   []string
	}{
		{"empty", mbox.MboxRD, "", nil},
		{"two", mbox.MboxRD, from + "a: 1\n\none\n\n" + from + "\ntwo\n\n", []string{"a: 1\n\none\n", "\ntwo\n"}},
		{"empty lines first", mbox.MboxRD, "\n\n" + from + "\nx\n", []string{"\nx\n"}},
		{"no last empty line", mbox.MboxRD, from + "\nx", []string{"\nx"}},
		{"empty messages", mbox.MboxRD, from + "\n" + from + "\n" + from, []string{"", "", ""}},
		{"no empty line before", mbox.MboxRD, from + "\nx\n" + from, []string{"\nx\n" + from}},
		{"no date", mbox.MboxRD, from + "\n\nFrom me to you\n", []string{"\n\nFrom me to you\n"}},
		{"quotes rd", mbox.MboxRD, from + "\n>From x\n>>From x\n>Fromx\n", []string{"\nFrom x\n>From x\n>Fromx\n"}},
		{"quotes o", mbox.MboxO, from + "\n>From x\n>>From x\n", []string{"\nFrom x\n>>From x\n"}},
		{"quotes cl2", mbox.MboxCL2, from + "\n>From x\n", []string{"\n>From x\n"}},
		{"length", mbox.MboxCL2, from + "Content-Length: 52\n\nhi\n\n" + from + "end\n\n" + from + "\ny\n", []string{"Content-Length: 52\n\nhi\n\n" + from + "end\n", "\ny\n"}},
		{"length to the end", mbox.MboxCL2, from + "content-length : 3\n\nhi\n", []string{"content-length : 3\n\nhi\n"}},
		{"length without line end", mbox.MboxCL2, from + "Content-Length: 2\n\nhi\n\n" + from + "\ny\n", []string{"Content-Length: 2\n\nhi", "\ny\n"}},
		{"length too long", mbox.MboxCL, from + "Content-Length: 5000\n\nhi\n\n" + from + "\ny\n", []string{"Content-Length: 5000\n\nhi\n", "\ny\n"}},
		{"length too short", mbox.MboxCL, from + "Content-Length: 1\n\nhi\n>From x\n\n" + from + "\ny\n", []string{"Content-Length: 1\n\nhi\nFrom x\n", "\ny\n"}},
		{"length absurd", mbox.MboxCL, from + "Content-Length: 9223372036854775807\n\nhi\n", []string{"Content-Length: 9223372036854775807\n\nhi\n"}},
		{"long lines", mbox.MboxRD, from + "\n" + long + "\n\n" + from + "\n" + long, []string{"\n" + long + "\n", "\n" + long}},
		{"nul and bare cr", mbox.MboxRD, from + "\n\x00\ra\r\n\n", []string{"\n\x00\ra\r\n"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once": strings.NewReader(c.file), "a stream": onlyReader{strings.NewReader(c.file)},
				"octet by octet": iotest.OneByteReader(strings.NewReader(c.file)),
			} {
				got, _ := readAll(t, r, mbox.Options{Format: c.format, KeepLineEnds: true})
				if len(got) != len(c.want) {
					t.Fatalf("%s: %d messages %.80q, want %d", how, len(got), got, len(c.want))
				}
				for i := range got {
					if got[i] != c.want[i] {
						t.Errorf("%s: message %d is %.200q, want %.200q", how, i, got[i], c.want[i])
					}
				}
			}
		})
	}
}

type onlyReader struct{ io.Reader }

func TestReaderSeparators(t *testing.T) {
	for line, ok := range map[string]bool{
		"From a@b Sat Jan  3 01:05:34 1996":                               true,
		"From  Sat Jan  3 01:05:34 1996":                                  true,
		"From a b Sat Jan 3 01:05 1996":                                   true,
		"From a Sat Jan 13 01:05:34 1996 +0100":                           true,
		"From a Sat Jan 13 01:05:34 CET 1996":                             true,
		"From a Sat Jan  3 01:05:34 1996 remote from b":                   true,
		"From a Sat Jan  3 01:05:34":                                      false,
		"From a":                                                          false,
		"From: a Sat Jan  3 01:05:34 1996":                                false,
		"from a Sat Jan  3 01:05:34 1996":                                 false,
		"From a Sat Jan 43 01:05:34 1996":                                 false,
		"From " + strings.Repeat("a", 9000) + " Sat Jan  3 01:05:34 1996": false,
	} {
		_, err := mbox.NewReader(strings.NewReader(line+"\n\nx\n"), mbox.Options{}).Next()
		if ok != (err == nil) || err != nil && !errors.Is(err, mbox.ErrFormat) {
			t.Errorf("%.60q: %v, want a separator: %v", line, err, ok)
		}
	}
}

func TestReaderFields(t *testing.T) {
	m, err := mbox.NewReader(strings.NewReader("From MAILER-DAEMON Sat Jan 13 01:05:34 1996 +0100\n\n"), mbox.Options{}).Next()
	if err != nil || m.Sender != "" || !m.Date.Equal(time.Date(1996, 1, 13, 0, 5, 34, 0, time.UTC)) {
		t.Errorf("%+v, %v", m, err)
	}
	_, ignored := readAll(t, strings.NewReader(from+"\nx\n"), mbox.Options{Format: mbox.MboxCL})
	if ignored != 1 {
		t.Errorf("a missing Content-Length is not reported")
	}
}

func TestReaderFails(t *testing.T) {
	boom := errors.New("boom")
	r := mbox.NewReader(io.MultiReader(strings.NewReader(from+"\nhalf"), iotest.ErrReader(boom)), mbox.Options{})
	m, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(m); !errors.Is(err, boom) {
		t.Errorf("reading the message: %v", err)
	}
	if _, err := r.Next(); !errors.Is(err, boom) {
		t.Errorf("Next: %v", err)
	}
}

func write(t testing.TB, w io.Writer, messages ...string) {
	t.Helper()
	out := mbox.NewWriter(w)
	for _, text := range messages {
		m, err := out.Create("a@example.org", time.Unix(1e9, 0))
		if err == nil {
			_, err = io.WriteString(m, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWriter(t *testing.T) {
	var b bytes.Buffer
	write(t, &b, "a: b\r\n\r\nFrom x\r\n>From y\r\nFro\r\n>>x\r\nend", "", "\r\n")
	sep := "From a@example.org Sun Sep  9 01:46:40 2001\n"
	want := sep + "a: b\n\n>From x\n>>From y\nFro\n>>x\nend\n\n" + sep + "\n" + sep + "\n\n"
	if b.String() != want {
		t.Errorf("wrote %q, want %q", b.String(), want)
	}
	for _, bad := range []string{"a b", "a\nb", "a\x7f", strings.Repeat("a", 3000)} {
		if _, err := mbox.NewWriter(io.Discard).Create(bad, time.Now()); !errors.Is(err, mbox.ErrSender) {
			t.Errorf("Create(%.20q): %v", bad, err)
		}
	}
}

// canonical is what a message is after it was written and read: lines end in
// LF in the file, and in CRLF after it.
func canonical(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	s = strings.ReplaceAll(s, "\n", "\r\n")
	return strings.ReplaceAll(s, "\r\r\n", "\r\n")
}

func FuzzRoundTrip(f *testing.F) {
	for _, s := range []string{"", "\r\n", "\n\n\n", "From x", from, "\n" + from + "\n" + from, ">>From \r", "a\r\rFrom b\r\n\r", "\r"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, cut int) {
		var b bytes.Buffer
		w := mbox.NewWriter(&b)
		for range 2 {
			m, err := w.Create("", time.Unix(1e9, 0))
			if err != nil {
				t.Fatal(err)
			}
			for rest := s; rest != ""; { // in pieces
				k := min(max(cut, 1), len(rest))
				if _, err := io.WriteString(m, rest[:k]); err != nil {
					t.Fatal(err)
				}
				rest = rest[k:]
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, _ := readAll(t, &b, mbox.Options{})
		if want := canonical(s); len(got) != 2 || got[0] != want || got[1] != want {
			t.Errorf("%q came back as %q, want %q twice", s, got, want)
		}
	})
}

// FuzzReader holds reading at once against reading octet by octet.
func FuzzReader(f *testing.F) {
	f.Add([]byte(from+"Content-Length: 3\n\nhi\n\n"+from), uint8(3))
	f.Add([]byte(from+"\n>From \n\n"), uint8(1))
	f.Fuzz(func(t *testing.T, file []byte, format uint8) {
		o := mbox.Options{Format: mbox.Format(format % 4), KeepLineEnds: format&4 != 0}
		if _, err := mbox.NewReader(bytes.NewReader(file), o).Next(); err != nil {
			return
		}
		one, _ := readAll(t, bytes.NewReader(file), o)
		two, _ := readAll(t, iotest.OneByteReader(bytes.NewReader(file)), o)
		if strings.Join(one, "\x00|") != strings.Join(two, "\x00|") {
			t.Errorf("at once %q, octet by octet %q", one, two)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	var file bytes.Buffer
	text := "Subject: x\r\n\r\n" + strings.Repeat("A line of some sixty octets, as people and programs write it.\r\n", 64)
	for range 100 {
		write(b, &file, text)
	}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	for b.Loop() {
		r := mbox.NewReader(bytes.NewReader(file.Bytes()), mbox.Options{})
		for {
			m, err := r.Next()
			if err == io.EOF {
				break
			}
			if _, err := io.Copy(io.Discard, m); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	text := []byte("Subject: x\r\n\r\n" + strings.Repeat("A line of some sixty octets, as people and programs write it.\r\n", 64))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	w := mbox.NewWriter(io.Discard)
	for b.Loop() {
		m, err := w.Create("a@example.org", time.Time{})
		if err == nil {
			_, err = m.Write(text)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
