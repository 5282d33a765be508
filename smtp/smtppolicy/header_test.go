package smtppolicy_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

var received = time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)

// pass sends body through the edits and returns what a receiver reads.
func pass(t testing.TB, body io.Reader, l smtppolicy.Limits, edits ...smtppolicy.Edit) (string, error) {
	t.Helper()
	var got []byte
	sink := smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) error {
		var err error
		got, err = io.ReadAll(r)
		return err
	})
	r := smtp.Chain(sink, smtppolicy.EditHeader(l, edits...))
	m := &smtp.Mail{ID: "id1", Received: received, ReversePath: smtp.ReversePath{Path: smtp.Path{Local: "a", Domain: "b.example"}}}
	tx, err := r.Begin(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	tx.Rcpt(t.Context(), []*smtp.Recipient{{}})
	_, err = tx.Data(t.Context(), smtp.NewBody(body, -1))
	return string(got), err
}

func TestEdits(t *testing.T) {
	strip := smtppolicy.StripForged("mx.example.org")
	fix := smtppolicy.Submission("mx.example.org")
	const date, id, from = "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n", "Message-ID: <id1@mx.example.org>\r\n", "From: a@b.example\r\n"
	tests := []struct {
		name, in, want string
		edit           smtppolicy.Edit
	}{
		{"return-path goes", "Return-Path: <x@y>\r\nA: 1\r\n\r\nb", "A: 1\r\n\r\nb", strip},
		{"in any case, folded", "A: 1\r\nRETURN-path:\r\n <x@y>\r\nB: 2\r\n\r\nb", "A: 1\r\nB: 2\r\n\r\nb", strip},
		{"our results go", "Authentication-Results: MX.example.org; spf=pass\r\nA: 1\r\n\r\n", "A: 1\r\n\r\n", strip},
		{"behind a comment", "Authentication-Results: (c\\)) mx.example.org/1; none\r\nA: 1\r\n\r\n", "A: 1\r\n\r\n", strip},
		{"quoted", "Authentication-Results: \"mx.example.org\"; none\r\n\r\n", "\r\n", strip},
		{"those of others stay", "Authentication-Results: mx.other; spf=pass\r\n\r\n", "Authentication-Results: mx.other; spf=pass\r\n\r\n", strip},
		{"body is no header", "A: 1\r\n\r\nReturn-Path: <x@y>\r\n", "A: 1\r\n\r\nReturn-Path: <x@y>\r\n", strip},
		{"no header at all", "hello\r\nthere\r\n", "hello\r\nthere\r\n", strip},
		{"behind no field", "hello\r\nReturn-Path: <x@y>\r\nA: 1\r\n\r\nb", "hello\r\nA: 1\r\n\r\nb", strip},
		{"behind a fold of nothing", " \r\nReturn-Path: <x@y>\r\n\r\nb", " \r\n\r\nb", strip},
		{"behind an mbox line", "From me Mon\r\nReturn-Path: <x@y>\r\n\r\nb", "From me Mon\r\n\r\nb", strip},
		{"behind 8-bit in a name", "A: 1\r\n\xff: 2\r\nReturn-Path: <x@y>\r\n\r\nb", "A: 1\r\n\xff: 2\r\n\r\nb", strip},
		{"far from its colon", "Return-Path" + strings.Repeat(" ", 2000) + ": <x@y>\r\n\r\nb", "\r\nb", strip},
		{"quoted pairs", "Authentication-Results: \"mx.exam\\ple.org\"; none\r\n\r\n", "\r\n", strip},
		{"empty", "", "", strip},
		{"only fields, no line end", "A: 1\r\nReturn-Path: x", "A: 1\r\n", strip},
		{"complete", "Subject: x\r\n\r\nb", "Subject: x\r\n" + date + id + from + "\r\nb", fix},
		{"nothing to complete", "Date: x\r\nMessage-ID: y\r\nFrom: z\r\n\r\nb", "Date: x\r\nMessage-ID: y\r\nFrom: z\r\n\r\nb", fix},
		{"complete without header", "hello\r\n", date + id + from + "\r\nhello\r\n", fix},
		{"complete in front of no field", "Subject: x\r\nhello\r\n\r\nb", "Subject: x\r\n" + date + id + from + "hello\r\n\r\nb", fix},
		{"complete without header, Date in the text", "hello\r\nDate: x\r\n\r\nb", date + id + from + "\r\nhello\r\nDate: x\r\n\r\nb", fix},
		{"complete an empty header", "\r\nb", date + id + from + "\r\nb", fix},
		{"complete a line without end", "hello", date + id + from + "\r\nhello", fix},
		{"complete without final line end", "Subject: x", "Subject: x\r\n" + date + id + from, fix},
		{"complete empty", "", date + id + from, fix},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, src := range []io.Reader{strings.NewReader(test.in), iotest.OneByteReader(strings.NewReader(test.in)), iotest.DataErrReader(strings.NewReader(test.in))} {
				got, err := pass(t, src, smtppolicy.Limits{}, test.edit)
				if err != nil || got != test.want {
					t.Errorf("got %q, %v\nwant %q", got, err, test.want)
				}
			}
		})
	}
}

func TestLimits(t *testing.T) {
	many := strings.Repeat("Received: x\r\n", 51)
	tests := []struct {
		name, in string
		limits   smtppolicy.Limits
		code     int
	}{
		{"loop", many + "\r\n", smtppolicy.Limits{}, 554},
		{"no loop", many[13:] + "\r\n", smtppolicy.Limits{}, 0},
		{"fields", many + "\r\n", smtppolicy.Limits{Fields: 50}, 552},
		{"octets", many + "\r\n", smtppolicy.Limits{Bytes: 100}, 552},
		{"one endless field", "A: " + strings.Repeat("x", 300<<10), smtppolicy.Limits{}, 552},
		{"one endless line that is no field", strings.Repeat("x", 300<<10), smtppolicy.Limits{}, 0},
		{"text of many lines", "Subject: x\r\n" + strings.Repeat("no field\r\n", 100<<10), smtppolicy.Limits{}, 0},
		{"fields behind a line that is none", "x\r\n" + many + "\r\n", smtppolicy.Limits{Fields: 50}, 0},
		{"no limits", "A: " + strings.Repeat("x", 300<<10), smtppolicy.Limits{Bytes: -1, Fields: -1}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := pass(t, strings.NewReader(test.in), test.limits, smtppolicy.LoopLimit(0))
			if got := smtp.ReplyOf(err).Code; got != test.code {
				t.Errorf("code %d (%v), want %d", got, err, test.code)
			}
		})
	}
}

// A body that does not end cleanly must not look as if it did.
func TestTruncatedSource(t *testing.T) {
	for _, in := range []string{"", "A: 1", "A: 1\r\n\r\nbody"} {
		src := io.MultiReader(strings.NewReader(in), iotest.ErrReader(smtp.ErrTruncated))
		if _, err := pass(t, src, smtppolicy.Limits{}, smtppolicy.LoopLimit(0)); !errors.Is(err, smtp.ErrTruncated) {
			t.Errorf("%q: %v, want ErrTruncated", in, err)
		}
	}
}

func FuzzEditHeader(f *testing.F) {
	f.Add("A: 1\r\n b\r\n\r\nbody")
	f.Add("Return-Path: x\nA : 1\nB")
	f.Add(" folded first\r\n: no name\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		same, err := pass(t, iotest.OneByteReader(strings.NewReader(in)), smtppolicy.Limits{}, smtppolicy.LoopLimit(1<<30))
		if err == nil && same != in {
			t.Fatalf("an edit that changes nothing gave %q for %q", same, in)
		}
		stripped, err := pass(t, strings.NewReader(in), smtppolicy.Limits{}, smtppolicy.StripForged("x"))
		if err != nil {
			return
		}
		for line := range strings.Lines(stripped) {
			name, _, ok := strings.Cut(line, ":")
			if line == "\r\n" || line == "\n" {
				break // what a reader takes for the end of the header
			} else if ok && strings.EqualFold(strings.TrimRight(name, " \t"), "return-path") {
				t.Errorf("%q is left in %q, from %q", line, stripped, in)
			}
		}
		again, err := pass(t, strings.NewReader(stripped), smtppolicy.Limits{}, smtppolicy.StripForged("x"))
		if err != nil || again != stripped {
			t.Fatalf("%q, then %q, %v", stripped, again, err)
		}
	})
}
