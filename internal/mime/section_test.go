package mime

import (
	"strings"
	"testing"
)

// complex is the example of RFC 9051 §6.4.5.1; each leaf holds its part number.
const complex = `Subject: root
Content-Type: multipart/mixed; boundary=A

--A

[1]
--A
Content-Type: application/octet-stream

[2]
--A
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=B

--B

[3.1]
--B
Content-Type: application/octet-stream

[3.2]
--B--
--A
Content-Type: multipart/mixed; boundary=C

--C
Content-Type: image/gif

[4.1]
--C
Content-Type: message/rfc822
X: mime of 4.2

Subject: four two
Content-Type: multipart/mixed; boundary=D

--D

[4.2.1]
--D
Content-Type: multipart/alternative; boundary=E

--E

[4.2.2.1]
--E
Content-Type: text/richtext

[4.2.2.2]
--E--
--D--
--C--
--A
Content-Type: message/rfc822

Subject: five

[5.1]
--A--
`

func TestSection(t *testing.T) {
	root, msg := parse(t, complex)
	check(t, root, []byte(msg))
	for _, tt := range []struct {
		path       []uint32
		what       Specifier
		start, end string // "" = there is no such section
	}{
		{nil, SectionAll, "Subject: root", "--A--\r\n"},
		{nil, SectionHeader, "Subject: root", "=A\r\n\r\n"},
		{nil, SectionText, "--A\r\n", "--A--\r\n"},
		{nil, SectionMIME, "", ""},
		{[]uint32{1}, SectionAll, "[1]", "[1]"},
		{[]uint32{1}, SectionMIME, "\r\n", "\r\n"},
		{[]uint32{1}, SectionHeader, "", ""},
		{[]uint32{1}, SectionText, "", ""},
		{[]uint32{1, 1}, SectionAll, "", ""},
		{[]uint32{0}, SectionAll, "", ""},
		{[]uint32{6}, SectionAll, "", ""},
		{[]uint32{4294967295}, SectionAll, "", ""},
		{[]uint32{2}, SectionMIME, "Content-Type: application", "\r\n\r\n"},
		{[]uint32{3}, SectionAll, "Subject: three", "--B--"},
		{[]uint32{3}, SectionHeader, "Subject: three", "=B\r\n\r\n"},
		{[]uint32{3}, SectionText, "--B\r\n", "--B--"},
		{[]uint32{3}, SectionMIME, "Content-Type: message", "\r\n\r\n"},
		{[]uint32{3, 1}, SectionAll, "[3.1]", "[3.1]"},
		{[]uint32{3, 2}, SectionAll, "[3.2]", "[3.2]"},
		{[]uint32{4}, SectionAll, "--C", "--C--"},
		{[]uint32{4}, SectionHeader, "", ""},
		{[]uint32{4, 1}, SectionMIME, "Content-Type: image/gif", "\r\n\r\n"},
		{[]uint32{4, 2}, SectionHeader, "Subject: four", "=D\r\n\r\n"},
		{[]uint32{4, 2}, SectionMIME, "Content-Type: message", "X: mime of 4.2\r\n\r\n"},
		{[]uint32{4, 2, 2, 1}, SectionAll, "[4.2.2.1]", "[4.2.2.1]"},
		{[]uint32{4, 2, 2, 2}, SectionAll, "[4.2.2.2]", "[4.2.2.2]"},
		{[]uint32{4, 2, 2, 3}, SectionAll, "", ""},
		{[]uint32{5, 1}, SectionAll, "[5.1]", "[5.1]"},
		{[]uint32{5, 1}, SectionMIME, "Subject: five", "\r\n\r\n"},
		{[]uint32{5, 2}, SectionAll, "", ""},
		{[]uint32{5, 1, 1}, SectionAll, "", ""},
	} {
		span, ok := Section(root, tt.path, tt.what)
		got := ""
		if ok {
			got = msg[span.Start:span.End]
		}
		if ok != (tt.start != "") || !strings.HasPrefix(got, tt.start) || !strings.HasSuffix(got, tt.end) {
			t.Errorf("%v %d = %v, %q", tt.path, tt.what, ok, got)
		}
	}
}

func TestSectionOfMessagesWithoutMultipart(t *testing.T) {
	root, msg := parse(t, "Subject: x\n\nbody")
	if span, ok := Section(root, []uint32{1}, SectionAll); !ok || msg[span.Start:span.End] != "body" {
		t.Errorf("part 1 is %v, %v", span, ok)
	}
	for _, path := range [][]uint32{{2}, {1, 1}} {
		if i, ok := Find(root, path); ok {
			t.Errorf("%v is part %d", path, i)
		}
	}
	root, msg = parse(t, "Content-Type: message/rfc822\n\nSubject: y\n\nbody")
	for _, tt := range []struct {
		path []uint32
		what Specifier
		want string
	}{
		{[]uint32{1}, SectionAll, "Subject: y\r\n\r\nbody"},
		{[]uint32{1}, SectionHeader, "Subject: y\r\n\r\n"},
		{[]uint32{1}, SectionText, "body"},
		{[]uint32{1, 1}, SectionAll, "body"},
		{nil, SectionHeader, "Content-Type: message/rfc822\r\n\r\n"},
	} {
		span, ok := Section(root, tt.path, tt.what)
		if got := msg[span.Start:span.End]; !ok || got != tt.want {
			t.Errorf("%v %d = %q", tt.path, tt.what, got)
		}
	}
}

// sample is a message of the usual kind with a body of about n octets.
func sample(n int) string {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, and then it rests a while.\r\n", n/150)
	return "Received: from a.example by b.example with ESMTP id 1;\r\n\tMon, 1 Jan 2024 00:00:00 +0000\r\n" +
		"From: \"Joe Doe\" <joe@example.org>\r\nTo: a@example.org, b@example.org\r\nSubject: Re: hello\r\n" +
		"Date: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/alternative; boundary=\"----=_Part_1\"\r\n\r\n" +
		"------=_Part_1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text +
		"\r\n------=_Part_1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + text +
		"\r\n------=_Part_1--\r\n"
}

func BenchmarkWalk(b *testing.B) {
	for name, size := range map[string]int{"4KB": 4 << 10, "1MB": 1 << 20} {
		b.Run(name, func(b *testing.B) {
			msg := sample(size)
			r := strings.NewReader(msg)
			b.SetBytes(int64(len(msg)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Walk(r, int64(len(msg)), Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkForms(b *testing.B) {
	msg := sample(4 << 10)
	r := strings.NewReader(msg)
	tree, err := Walk(r, int64(len(msg)), Limits{})
	if err != nil {
		b.Fatal(err)
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendEnvelope(dst[:0], &tree.Root().Envelope)
		if dst, err = (Form{Tree: tree, Content: r, Extended: true}).Append(dst); err != nil {
			b.Fatal(err)
		}
	}
}
