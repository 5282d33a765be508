package dsn_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/bounce"
	"github.com/mailstead/mailstead/deliver/dsn"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// What a Reporter writes, the parser of bounces reads, value for value.
func TestRoundTrip(t *testing.T) {
	until := now.Add(48 * time.Hour)
	reply := func(code int, e smtp.EnhancedCode, text string) smtp.Reply { return smtp.NewReply(code, e, text) }
	for _, utf8 := range []bool{false, true} {
		blobs := memblob.New()
		j := newJob(t, blobs, "Message-ID: <orig@example.net>\r\nSubject: x\r\n\r\nbody\r\n", "a@example.com", "b@example.com", "jörg@example.com", "d@example.com", `q r@example.com`, "f@example.com")
		j.Params = smtp.MailParams{EnvelopeID: "env 1", UTF8: utf8, Return: smtp.ReturnFull}
		for i := range j.Recipients {
			j.Recipients[i].Params.Notify = smtp.NotifySuccess | smtp.NotifyFailure | smtp.NotifyDelay
		}
		j.Recipients[0].Params.Original = smtp.OriginalRecipient{Type: "rfc822", Address: "alias@example.org"}
		j.Recipients[2].Params.Original = smtp.OriginalRecipient{Type: "utf-8", Address: "ü=+\\@example.org"}
		results := []queue.Result{
			{State: queue.Failed, NextHop: "mx.example.com", Reply: reply(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "User unknown")},
			{Delay: true, NextHop: "192.0.2.1", Reply: reply(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "Mailbox full")},
			{State: queue.Failed, Reply: reply(554, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "spam")},
			{State: queue.Delivered, NextHop: "local"},
			{State: queue.Delivered, NextHop: "mx.example.com"},
			{State: queue.Delivered, NextHop: "local", Expanded: 3},
		}
		want := []bounce.Recipient{
			{Sent: path("alias@example.org"), Original: "alias@example.org", Final: "a@example.com", Action: bounce.Failed, Status: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, Reply: 550, Diagnostic: "550 5.1.1 User unknown", RemoteMTA: "mx.example.com", Class: bounce.Hard, Cause: bounce.BadAddress},
			{Sent: path("b@example.com"), Final: "b@example.com", Action: bounce.Delayed, Status: smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, Reply: 452, Diagnostic: "452 4.2.2 Mailbox full", RemoteMTA: "[192.0.2.1]", RetryUntil: until, Class: bounce.Soft, Cause: bounce.Full},
			{Sent: path("jörg@example.com"), Original: "ü=+\\@example.org", Final: "jörg@example.com", Action: bounce.Failed, Status: smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, Reply: 554, Diagnostic: "554 5.7.1 spam", Class: bounce.Soft, Cause: bounce.Policy},
			{Sent: path("d@example.com"), Final: "d@example.com", Action: bounce.Delivered, Status: smtp.EnhancedCode{Class: 2}, Class: bounce.Good},
			{Sent: path("q r@example.com"), Final: `"q r"@example.com`, Action: bounce.Relayed, Status: smtp.EnhancedCode{Class: 2}, RemoteMTA: "mx.example.com", Class: bounce.Good},
			{Sent: path("f@example.com"), Final: "f@example.com", Action: bounce.Expanded, Status: smtp.EnhancedCode{Class: 2}, Class: bounce.Good},
		}
		r := &dsn.Reporter{Hostname: "mx.example.org", Blobs: blobs, Now: func() time.Time { return now }, RetryUntil: func(*queue.Job) time.Time { return until }}
		reps, err := r.Report(t.Context(), j, results)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(reps[0].Body)
		got, err := (&bounce.Parser{}).Parse(bytes.NewReader(raw), int64(len(raw)), bounce.Envelope{})
		if err != nil {
			t.Fatal(err)
		}
		if got.Kind != bounce.Failure || got.Format != "rfc3464" || got.ReportingMTA != "mx.example.org" || got.EnvelopeID != "env 1" || got.MessageID != "orig@example.net" || !got.Arrival.Equal(j.Created) {
			t.Errorf("%+v", got)
		}
		if h := string(got.Header); h != "Received: by us\r\nMessage-ID: <orig@example.net>\r\nSubject: x\r\n" {
			t.Errorf("header %q", h)
		}
		if len(got.Recipients) != len(want) {
			t.Fatalf("%d recipients\n%s", len(got.Recipients), raw)
		}
		for i := range want {
			g := got.Recipients[i]
			if !g.LastAttempt.Equal(now) || !g.RetryUntil.Equal(want[i].RetryUntil) {
				t.Errorf("%d: %v %v", i, g.LastAttempt, g.RetryUntil)
			}
			g.LastAttempt, g.RetryUntil, want[i].RetryUntil = time.Time{}, time.Time{}, time.Time{}
			if g != want[i] {
				t.Errorf("utf8=%v\n got %+v\nwant %+v", utf8, g, want[i])
			}
		}
	}
}
