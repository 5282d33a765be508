package smtpclient

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailstead/mailstead/smtp"
)

// naive splits the whole input into lines and replies.
func naive(in string, maxLines, maxLine int) (replies []smtp.Reply, err error) {
	for {
		var r smtp.Reply
		for n := 0; ; n++ {
			if n == maxLines {
				return replies, ErrReplyTooLong
			}
			line, rest, whole := strings.Cut(in, "\n")
			if len(line)+1 > maxLine {
				return replies, ErrReplyTooLong
			}
			if !whole {
				return replies, io.ErrUnexpectedEOF
			}
			in = rest
			last, err := r.AddLine([]byte(strings.TrimSuffix(line, "\r")))
			if err != nil {
				return replies, ErrBadReply
			}
			if last {
				break
			}
		}
		replies = append(replies, r)
	}
}

// The reader agrees with a naive one however the octets arrive.
func FuzzReply(f *testing.F) {
	f.Add([]byte("220 hello\r\n250-a\r\n250-SIZE 10\r\n250 b\r\n"))
	f.Add([]byte("250-2.0.0 a\n250 2.0.0 b\n354\r\n"))
	f.Add([]byte("250 a\r\n251-b\r\n250 c\r\n"))
	f.Add([]byte("250-\r\n250-\r\n250-\r\n250-\r\n250-\r\n250 \r\n"))
	f.Add([]byte("250 " + strings.Repeat("x", 80) + "\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		const maxLines, maxLine = 4, 60
		want, wantErr := naive(string(in), maxLines, maxLine)
		for name, r := range map[string]io.Reader{
			"whole": bytes.NewReader(in), "octets": iotest.OneByteReader(bytes.NewReader(in)),
			"halves": iotest.HalfReader(bytes.NewReader(in)), "with the error": iotest.DataErrReader(bytes.NewReader(in)),
		} {
			rr := replyReader{maxLines: maxLines, maxLine: maxLine}
			var got []smtp.Reply
			var err error
			for err == nil {
				var reply smtp.Reply
				if reply, err = rr.read(r); err == nil {
					got = append(got, reply)
				}
			}
			same := slices.EqualFunc(got, want, func(a, b smtp.Reply) bool {
				return a.Code == b.Code && a.Enhanced == b.Enhanced && slices.Equal(a.Lines, b.Lines)
			})
			if !same || !errors.Is(err, wantErr) {
				t.Errorf("%s: got %v and %v, want %v and %v", name, got, err, want, wantErr)
			}
			if len(rr.buf) > 2048 {
				t.Errorf("%s: a buffer of %d octets", name, len(rr.buf))
			}
		}
	})
}

func TestQueueID(t *testing.T) {
	for text, want := range map[string]string{
		"250 2.0.0 Ok: queued as 4bXyz":                      "4bXyz",
		"250 OK id=1abc-0000-x":                              "1abc-0000-x",
		"250 2.0.0 1a2b3c4d Message accepted for delivery":   "1a2b3c4d",
		"250 2.0.0 OK queued as (x).":                        "(x",
		"250 2.0.0 OK":                                       "",
		"250-2.0.0 OK\r\n250 2.0.0 queued as 12":             "12",
		"250 2.6.0 <a@b> [InternalId=77] Queued mail for it": "77]",
	} {
		r, err := smtp.ParseReply(text)
		if got := queueID(r); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
