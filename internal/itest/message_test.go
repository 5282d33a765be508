package itest

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// message makes message number id. It is complete (so that a submission server
// adds nothing), its lines end in CRLF, and the same id gives the same bytes.
// Some lines begin with dots, and the size varies from a few hundred octets to
// about 200 KB.
func message(id int) []byte {
	rng := rand.New(rand.NewPCG(uint64(id), 7))
	lines := 3 + rng.IntN(20)
	if id%17 == 0 {
		lines = 2500
	}
	var body bytes.Buffer
	for range lines {
		switch rng.IntN(10) {
		case 0:
			body.WriteString(".\r\n")
		case 1:
			body.WriteString("..two dots\r\n")
		case 2:
			body.WriteString("\r\n")
		default:
			fmt.Fprintf(&body, "%x gr\xc3\xbc\xc3\x9fe\r\n", rng.Uint64())
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: Sender <sender@remote.example>\r\nTo: <%s>\r\nSubject: itest %d\r\n", alice, id)
	fmt.Fprintf(&b, "Date: Mon, 02 Nov 2026 10:%02d:%02d +0000\r\nMessage-ID: <itest.%d@remote.example>\r\n", id/60%60, id%60, id)
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n")
	fmt.Fprintf(&b, "X-Itest-Crc: %08x\r\n\r\n", crc32.ChecksumIEEE(body.Bytes()))
	b.Write(body.Bytes())
	return b.Bytes()
}

// messageID finds the number that message gave to a delivered message.
func messageID(delivered []byte) (id int, ok bool) {
	m := regexp.MustCompile(`(?m)^Message-ID: <itest\.(\d+)@`).FindSubmatch(delivered)
	if m == nil {
		return 0, false
	}
	_, err := fmt.Sscanf(string(m[1]), "%d", &id)
	return id, err == nil
}

// front splits a delivered message into the fields that the server put in
// front and the message as it was sent; it fails unless the sent bytes are
// there unchanged and what precedes them are whole header fields, the first of
// them the Return-Path.
func front(delivered, sent []byte, reversePath string) (fields string, err error) {
	prefix, ok := bytes.CutSuffix(delivered, sent)
	if !ok {
		return "", fmt.Errorf("the message does not end in the %d octets that were sent:\n%.400q", len(sent), delivered)
	}
	want := "Return-Path: <" + reversePath + ">\r\n"
	if !bytes.HasPrefix(prefix, []byte(want)) {
		return "", fmt.Errorf("the first line is not %q: %.200q", want, prefix)
	}
	field := regexp.MustCompile(`^([!-9;-~]+:[ \t]?|[ \t])[^\r\n]*\r\n$`)
	for line := range strings.Lines(string(prefix)) {
		if !field.MatchString(line) {
			return "", fmt.Errorf("not a header field in front: %q", line)
		}
	}
	return string(prefix), nil
}

// checkDelivered asserts what front asserts, and a Received field.
func checkDelivered(t *testing.T, delivered, sent []byte, reversePath string) {
	t.Helper()
	fields, err := front(delivered, sent, reversePath)
	if err != nil {
		t.Error(err)
		return
	}
	if !strings.Contains(fields, "\r\nReceived: ") {
		t.Errorf("no Received field in front: %q", fields)
	}
}
