package store

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const multipartMessage = "Date: Tue, 03 Nov 2026 10:11:12 +0100\r\n" +
	"From: Alice <alice@example.org>\r\nTo: bob@example.org\r\n" +
	"Subject: Re: [list] =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" +
	"Message-ID: <2@example.org>\r\nIn-Reply-To: <1@example.org>\r\nReferences: <0@example.org> <1@example.org>\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
	"--b\r\n\r\nHello, World\r\n" +
	"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n" +
	"--b\r\nContent-Type: image/png\r\nContent-Disposition: attachment\r\n\r\nxyz\r\n--b--\r\n"

func TestDescribe(t *testing.T) {
	d, err := Describe(strings.NewReader(multipartMessage), int64(len(multipartMessage)))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.ThreadKeys) != 3 {
		t.Errorf("thread keys: %d, want 3", len(d.ThreadKeys))
	}
	m, ok := DecodeMeta(d.Meta)
	if !ok {
		t.Fatal("own Meta does not decode")
	}
	if want := int64(strings.Index(multipartMessage, "\r\n\r\n") + 4); m.HeaderSize != want {
		t.Errorf("HeaderSize = %d, want %d", m.HeaderSize, want)
	}
	if want := time.Date(2026, 11, 3, 9, 11, 12, 0, time.UTC); !m.SentDate.Equal(want) || m.SentDate.Format("-0700") != "+0100" {
		t.Errorf("SentDate = %v", m.SentDate)
	}
	if string(m.BaseSubject) != "Grüße" || string(m.Preview) != "Hello, World" || !m.HasAttachment {
		t.Errorf("subject %q, preview %q, attachment %v", m.BaseSubject, m.Preview, m.HasAttachment)
	}
	var kinds []PartKind
	for _, p := range m.Parts {
		kinds = append(kinds, p.Kind)
	}
	if want := []PartKind{PartMultipart, PartLeaf, PartMessage, PartLeaf, PartLeaf}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("kinds = %v, want %v", kinds, want)
	}
	if p := m.Parts[1]; multipartMessage[p.Body:p.End] != "Hello, World" {
		t.Errorf("part 1 = %q", multipartMessage[p.Body:p.End])
	}
	if p := m.Parts[3]; multipartMessage[p.Body:p.End] != "inner text" {
		t.Errorf("part 2.1 = %q", multipartMessage[p.Body:p.End])
	}
	computed, err := ComputeMeta(strings.NewReader(multipartMessage), int64(len(multipartMessage)))
	if err != nil || !reflect.DeepEqual(computed.Parts, m.Parts) || !bytes.Equal(computed.BodyStructure, m.BodyStructure) {
		t.Errorf("ComputeMeta differs: %v", err)
	}
}

// The same conversation has common keys, and case of the subject does not count.
func TestDescribeThreads(t *testing.T) {
	describe := func(m string) Description {
		d, err := Describe(strings.NewReader(m), int64(len(m)))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := describe("Message-ID: <a@b>\r\nSubject: Plan\r\n\r\n")
	reply := describe("Message-ID: <c@d>\r\nReferences: <z@z> <a@b>\r\nSubject: RE: plan\r\n\r\n")
	other := describe("Message-ID: <e@f>\r\nSubject: Plan\r\n\r\n")
	if first.SubjectHash != reply.SubjectHash || !common(first.ThreadKeys, reply.ThreadKeys) {
		t.Error("a reply has nothing in common with its parent")
	}
	if common(first.ThreadKeys, other.ThreadKeys) {
		t.Error("strangers have a common key")
	}
	var refs strings.Builder
	for i := range 500 {
		fmt.Fprintf(&refs, " <%d@x>\r\n", i)
	}
	long := describe("Message-ID: <a@b>\r\nReferences:" + refs.String() + "\r\n")
	last := describe("Message-ID: <499@x>\r\n\r\n")
	if len(long.ThreadKeys) != MaxThreadKeys || !common(long.ThreadKeys, last.ThreadKeys) {
		t.Errorf("%d keys; the nearest ancestor must be one of them", len(long.ThreadKeys))
	}
}

func common(a, b []uint64) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

// A message with too much structure is described, but its Meta is not kept.
func TestDescribeTooLong(t *testing.T) {
	m := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\nx\r\n", 1000) + "--b--\r\n"
	d, err := Describe(strings.NewReader(m), int64(len(m)))
	if err != nil || d.Meta != nil {
		t.Errorf("Meta of %d octets, err %v", len(d.Meta), err)
	}
	computed, err := ComputeMeta(strings.NewReader(m), int64(len(m)))
	if err != nil || len(computed.Parts) != 1001 {
		t.Errorf("%d parts, err %v", len(computed.Parts), err)
	}
	for _, extended := range []bool{false, true} {
		var form strings.Builder
		if err := computed.WriteBody(&form, strings.NewReader(m), int64(len(m)), BodyForm{Extended: extended}); err != nil {
			t.Error(err)
		}
		if n := strings.Count(form.String(), `("text" "plain" `); n != 1000 || computed.BodyStructure != nil {
			t.Errorf("%d parts in a form, %d octets kept", n, len(computed.BodyStructure))
		}
	}
}

func TestDecodeMetaRefuses(t *testing.T) {
	d, _ := Describe(strings.NewReader(multipartMessage), int64(len(multipartMessage)))
	for n := range d.Meta {
		if _, ok := DecodeMeta(d.Meta[:n]); ok {
			t.Errorf("the first %d octets decode", n)
		}
	}
	newer := bytes.Clone(d.Meta)
	newer[0] = MetaVersion + 1
	if _, ok := DecodeMeta(newer); ok {
		t.Error("a newer version decodes")
	}
	if _, ok := DecodeMeta(append(bytes.Clone(d.Meta), 0)); ok {
		t.Error("trailing octets decode")
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte(multipartMessage))
	f.Add([]byte(""))
	f.Add([]byte("Date: x\r\nContent-Type: message/rfc822\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Describe(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if d.Meta == nil {
			return
		}
		m, ok := DecodeMeta(d.Meta)
		if !ok {
			t.Fatal("own Meta does not decode")
		}
		if again := m.encode(); !bytes.Equal(again, d.Meta) {
			t.Fatalf("encoded again:\n%x\n%x", again, d.Meta)
		}
		for _, p := range m.Parts {
			if p.End > int64(len(b)) {
				t.Fatalf("part %+v ends behind the message", p)
			}
		}
	})
}

func FuzzDecodeMeta(f *testing.F) {
	d, _ := Describe(strings.NewReader(multipartMessage), int64(len(multipartMessage)))
	f.Add(d.Meta)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, ok := DecodeMeta(b)
		if ok && len(m.Parts) == 0 {
			t.Fatal("a message without parts")
		}
	})
}

func BenchmarkDescribe(b *testing.B) {
	for _, size := range []int{0, 64 << 10} {
		m := strings.Replace(multipartMessage, "Hello, World\r\n", "Hello, World\r\n"+strings.Repeat("more text in a line\r\n", size/21), 1)
		b.Run(fmt.Sprintf("size=%d", len(m)), func(b *testing.B) {
			r := strings.NewReader(m)
			b.SetBytes(int64(len(m)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Describe(r, int64(len(m))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecodeMeta(b *testing.B) {
	d, _ := Describe(strings.NewReader(multipartMessage), int64(len(multipartMessage)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := DecodeMeta(d.Meta); !ok {
			b.Fatal("not decoded")
		}
	}
}
