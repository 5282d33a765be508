package autoreply_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/autoreply"
	"github.com/mailstead/mailstead/smtp"
)

func from(s string) smtp.ReversePath {
	if s == "" {
		return smtp.ReversePath{}
	}
	i := strings.LastIndexByte(s, '@')
	return smtp.ReversePath{Path: smtp.Path{Local: s[:i], Domain: s[i+1:]}}
}

func TestOf(t *testing.T) {
	for _, test := range []struct {
		from, header string
		want         autoreply.Reason
	}{
		{"a@b.example", "Subject: hi\r\nPrecedence: first-class\r\nAuto-Submitted: No (a person)\r\n", autoreply.None},
		{"", "", autoreply.NullSender},
		{"MAILER-DAEMON@b.example", "", autoreply.Daemon},
		{"owner-list@b.example", "", autoreply.Daemon},
		{"list-bounces@b.example", "", autoreply.Daemon},
		{"list-request@b.example", "", autoreply.Daemon},
		{"postmaster@b.example", "", autoreply.None},
		{"request@b.example", "", autoreply.None},
		{"No-Reply@b.example", "", autoreply.NoReply},
		{"noreply+17@b.example", "", autoreply.NoReply},
		{"noreplyson@b.example", "", autoreply.None},
		{"a@b.example", "auto-submitted: auto-generated\r\n", autoreply.AutoSubmitted},
		{"a@b.example", "Auto-Submitted:\r\n auto-notified; owner-email=x\r\n", autoreply.AutoSubmitted},
		{"a@b.example", "X-Autoreply: yes\r\n", autoreply.AutoSubmitted},
		{"a@b.example", "X-Failed-Recipients: x@y.example\r\n", autoreply.AutoSubmitted},
		{"a@b.example", "Precedence: auto_reply\r\n", autoreply.AutoSubmitted},
		{"a@b.example", "Precedence: Bulk\r\n", autoreply.Bulk},
		{"a@b.example", "List-Id: <x.example>\r\n", autoreply.List},
		{"a@b.example", "List-Unsubscribe: <https://x.example>\r\n", autoreply.List},
		{"a@b.example", "X-Auto-Response-Suppress: DR, RN,OOF\r\n", autoreply.Suppressed},
		{"a@b.example", "X-Auto-Response-Suppress: DR, NDR, RN, NRN\r\n", autoreply.None},
		{"a@b.example", "Content-Type: multipart/report; report-type=x\r\n", autoreply.Report},
		{"a@b.example", "X-Spam-Status: Yes, score=9\r\n", autoreply.Spam},
		{"a@b.example", "X-Spam-Flag: NO\r\n", autoreply.None},
		{"a@b.example", "Subject: x\r\n\r\nPrecedence: bulk\r\n", autoreply.None},
	} {
		if got := autoreply.Of(from(test.from), []byte(test.header)); got != test.want {
			t.Errorf("%q %q: %v, want %v", test.from, test.header, got, test.want)
		}
	}
}

func TestResponder(t *testing.T) {
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	r := &autoreply.Responder{
		Addresses: []smtp.Path{from("me@home.example").Path, from("alias@home.example").Path},
		Memory:    &autoreply.Counter{}, Now: func() time.Time { return now },
	}
	check := func(sender, header string, want autoreply.Reason) {
		t.Helper()
		if got, err := r.Respond(t.Context(), from(sender), []byte(header)); err != nil || got != want {
			t.Errorf("%s %q: %v %v, want %v", sender, header, got, err, want)
		}
	}
	check("a@b.example", "To: \"x, y\" <other@home.example>\r\n", autoreply.NotAddressed)
	check("a@b.example", "Cc: x@y.example, Group: ME@Home.Example;\r\n", autoreply.None)
	check("A@b.example", "To: me@home.example\r\n", autoreply.Recent)
	check("c@b.example", "Resent-To:\r\n <alias@home.example>\r\n", autoreply.None)
	check("me@home.example", "To: alias@home.example\r\n", autoreply.Own)
	check("a@b.example", "To: me@home.example\r\nList-Id: x\r\n", autoreply.List)
	now = now.Add(7*24*time.Hour - 1)
	check("a@b.example", "To: me@home.example\r\n", autoreply.Recent)
	now = now.Add(1)
	check("a@b.example", "To: me@home.example\r\n", autoreply.None)
	r.Interval = time.Minute // a day at least
	check("d@b.example", "To: me@home.example\r\n", autoreply.None)
	now = now.Add(23 * time.Hour)
	check("d@b.example", "To: me@home.example\r\n", autoreply.Recent)
	r.Memory = broken{}
	if got, err := r.Respond(t.Context(), from("e@b.example"), []byte("To: me@home.example\r\n")); err == nil || got == autoreply.None {
		t.Errorf("a broken memory: %v %v", got, err)
	}
}

type broken struct{}

func (broken) Remember(context.Context, string, time.Time, time.Time) (bool, error) {
	return true, errors.New("no database")
}

func TestCounterIsBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	r := &autoreply.Counter{Max: 10}
	for i := range 10 {
		if n := r.Count(fmt.Sprint(i), now, now.Add(time.Minute)); n != 1 {
			t.Fatalf("%d: %d", i, n)
		}
	}
	if n := r.Count("more", now, now.Add(time.Minute)); n < 1000 {
		t.Errorf("counted %d beyond the bound", n)
	}
	if n := r.Count("3", now, now.Add(time.Hour)); n != 2 {
		t.Errorf("a known one: %d", n)
	}
	now = now.Add(time.Minute)
	if n := r.Count("more", now, now.Add(time.Minute)); n != 1 {
		t.Errorf("after a minute: %d", n)
	}
}

// Whatever the header, there is an answer, and the null sender is never answered.
func FuzzOf(f *testing.F) {
	f.Add("a@b.example", []byte("X-Auto-Response-Suppress: DR,\r\n OOF\r\nTo: (x) me@home.example\r\n"))
	f.Fuzz(func(t *testing.T, sender string, header []byte) {
		if r := autoreply.Of(smtp.ReversePath{}, header); r != autoreply.NullSender {
			t.Fatal(r)
		}
		p, err := smtp.ParseForwardPath("<"+sender+">", true)
		if err != nil {
			return
		}
		r := &autoreply.Responder{Addresses: []smtp.Path{from("me@home.example").Path}, Memory: &autoreply.Counter{}}
		rev := smtp.ReversePath(p)
		why, err := r.Respond(t.Context(), rev, header)
		if err != nil {
			t.Fatal(err)
		}
		if of := autoreply.Of(rev, header); why == autoreply.None && of != autoreply.None {
			t.Fatalf("answered in spite of %v", of)
		}
		if again, _ := r.Respond(t.Context(), rev, header); again == autoreply.None {
			t.Fatal("answered twice")
		}
	})
}
