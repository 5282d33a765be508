package reportmail

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

func newMessage(to ...string) *Message {
	return &Message{ID: "id", Domain: "mx.example", From: "r@mx.example", To: to, Subject: "s", Date: noon, Text: "t", MediaType: "application/gzip", Filename: "f", Data: []byte("data")}
}

// Lines are those of a message, whatever is in it.
func TestCompose(t *testing.T) {
	m := newMessage("a@example.org")
	m.Data = make([]byte, 10_000)
	m.Text = strings.Repeat("long ", 1000) + "\r\n.\r\n"
	m.Subject = Subject(strings.Repeat("long.", 50)+"example\r\nBcc: x@y", "mx.example", "id")
	text, err := m.Compose()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\r\n"), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00") || strings.HasPrefix(line, "Bcc") {
			t.Errorf("%.80q", line)
		}
	}
}

func TestNames(t *testing.T) {
	if got := FileName("../x", "a/b\r\nX: y", noon, noon, "\u00e9", "gz"); got != ".._x!a_b__X__y!1775044800!1775044800!_.gz" {
		t.Error(got)
	}
	if a, b := ID("a", "bc"), ID("ab", "c"); a == b || a != ID("a", "bc") || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Error(a, b)
	}
}

// Nothing is lost and nothing is sent twice by what a Receiver answers.
func TestStatuses(t *testing.T) {
	good := error(nil)
	never, later := error(&smtp.Error{Reply: smtp.Reply{Code: 550}}), errors.New("later")
	for _, c := range []struct {
		status []error
		want   string
		err    error
	}{
		{[]error{good, good}, "a b", nil},
		{[]error{good, never}, "a", nil},
		{[]error{later, good}, "b", nil},
		{[]error{never, never}, "", nil},
		{[]error{never, later}, "", later},
		{[]error{good}, "", smtp.ErrStatusCount},
	} {
		o := Outbox{Receiver: smtp.EachRcpt(func(_ context.Context, _ *smtp.Envelope, b *smtp.Body) ([]smtp.RcptStatus, error) {
			_, err := io.Copy(io.Discard, b)
			var list []smtp.RcptStatus
			for _, err := range c.status {
				list = append(list, smtp.RcptStatus{Err: err})
			}
			return list, err
		})}
		sent, err := o.Send(t.Context(), newMessage("a@x.example", "b@x.example"))
		if got := strings.ReplaceAll(strings.Join(sent, " "), "@x.example", ""); got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%v: %q, %v", c.status, got, err)
		}
	}
	if sent, err := (&Outbox{}).sendNothing(t); len(sent) != 0 || err != nil {
		t.Error(sent, err)
	}
}

// sendNothing sends to what is no mailbox of SMTP.
func (o *Outbox) sendNothing(t *testing.T) ([]string, error) {
	o.Receiver = smtp.ReceiveFunc(func(context.Context, *smtp.Envelope, io.Reader) error { return errors.New("called") })
	return o.Send(t.Context(), newMessage("a..b@x.example", "\u00fc@x.example", "a@", ""))
}

// A stranger's record does not choose what stands in the header.
func TestOnlyMailboxesInHeader(t *testing.T) {
	for _, stranger := range []string{"\u00fc@x.example", "a..b@x.example", "a@x\r\nBcc: c@x.example", "a@"} {
		var text []byte
		o := Outbox{Receiver: smtp.ReceiveFunc(func(_ context.Context, _ *smtp.Envelope, r io.Reader) (err error) {
			text, err = io.ReadAll(r)
			return err
		})}
		sent, err := o.Send(t.Context(), newMessage(stranger, "b@x.example"))
		if err != nil || len(sent) != 1 || sent[0] != "b@x.example" {
			t.Errorf("%q: %q, %v", stranger, sent, err)
		}
		if !strings.Contains(string(text), "To: <b@x.example>\r\n") {
			t.Errorf("%q:\n%s", stranger, text)
		}
	}
}

func TestUntilNext(t *testing.T) {
	for _, c := range []struct{ now, want string }{
		{"2026-04-01T00:00:00Z", "2026-04-01T01:00:00Z"},
		{"2026-04-01T01:00:00Z", "2026-04-02T01:00:00Z"},
		{"2026-04-01T23:59:59Z", "2026-04-02T01:00:00Z"},
		{"2026-04-02T00:30:00Z", "2026-04-02T01:00:00Z"},
		{"2026-04-02T01:30:00+02:00", "2026-04-02T01:00:00Z"},
	} {
		now, err1 := time.Parse(time.RFC3339, c.now)
		want, err2 := time.Parse(time.RFC3339, c.want)
		if got := now.Add(untilNext(now, time.Hour)); err1 != nil || err2 != nil || !got.Equal(want) {
			t.Errorf("%s: %v", c.now, got)
		}
	}
}

// Once a day, whatever the time at which it begins, and each hour after a failure.
func TestDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Time
		done := make(chan struct{})
		go func() {
			defer close(done)
			Daily(ctx, func(_ context.Context, now time.Time) error {
				if at = append(at, now); len(at) == 3 || len(at) == 4 {
					return errors.New("fails")
				}
				return nil
			})
		}()
		time.Sleep(96 * time.Hour)
		cancel()
		<-done
		days := map[int]int{}
		for _, now := range at[1:] {
			days[now.YearDay()]++
			if h := now.UTC().Sub(now.UTC().Truncate(24 * time.Hour)); h < notBefore || h > spread+2*retry {
				t.Errorf("at %v", now)
			}
		}
		if len(at) != 7 || len(days) != 4 {
			t.Errorf("%v", at)
		}
	})
}

func TestEncodedLen(t *testing.T) {
	for _, n := range []int{0, 1, 57, 58, 1000, 100_000} {
		m := newMessage("a@example.org")
		m.Data = nil
		without, _ := m.Compose()
		m.Data = make([]byte, n)
		with, _ := m.Compose()
		if got, about := len(with)-len(without), int(EncodedLen(n)); got-about > 4 || about-got > 4 {
			t.Errorf("%d: %d, estimated %d", n, got, about)
		}
	}
}
