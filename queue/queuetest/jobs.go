package queuetest

import (
	"fmt"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// job is a due job with one recipient.
func (c *check) job(id, dest string) queue.Job {
	return queue.Job{
		ID: id, Message: "m-" + id, Destination: dest, ReversePath: reverse("alice", "example.org"),
		Recipients: []queue.Recipient{rcpt("bob", "example.net")},
		Blob:       blob.Ref("blob-" + id), Size: 1000, Created: c.now, Due: c.now,
	}
}

// jobs makes n due jobs, named prefix000, prefix001, ...
func (c *check) jobs(prefix, dest string, n int) []queue.Job {
	out := make([]queue.Job, n)
	for i := range out {
		out[i] = c.job(fmt.Sprintf("%s%06d", prefix, i), dest)
	}
	return out
}

func reverse(local, domain string) smtp.ReversePath {
	return smtp.ReversePath{Path: smtp.Path{Local: local, Domain: domain}}
}

func rcpt(local, domain string) queue.Recipient {
	return queue.Recipient{Recipient: smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: domain}}}}
}

// full is a job with a value in every field.
func (c *check) full(id, dest string) queue.Job {
	j := c.job(id, dest)
	j.Once = "once-" + id
	j.ReversePath = reverse("a \"quoted\" \xff name", "Example.ORG")
	j.Params = smtp.MailParams{
		Size: 1234, Body: smtp.Body8BitMIME, UTF8: true, Return: smtp.ReturnHeaders, EnvelopeID: "QQ+314159", Auth: "<>", RequireTLS: true,
		Priority: smtp.Priority{Level: 3, Given: true}, DeliverBy: smtp.DeliverBy{Seconds: 3600, Mode: smtp.ByReturn, Trace: true},
		FutureRelease: smtp.FutureRelease{For: 60}, PRDR: true,
		Unknown: []smtp.Param{{Keyword: "X-Odd", Value: "\x01\xfe", HasEq: true}, {Keyword: "X-Odd"}},
	}
	r := rcpt("jörg", "bücher.example")
	r.Params = smtp.RcptParams{
		Notify: smtp.NotifyDelay | smtp.NotifyFailure, Original: smtp.OriginalRecipient{Type: "rfc822", Address: "j@b.example"},
		Unknown: []smtp.Param{{Keyword: "X-R", Value: "1", HasEq: true}},
	}
	r.Delayed = true
	j.Recipients = []queue.Recipient{r, rcpt("carol", "example.net"), rcpt("carol", "example.net")}
	j.Identity = "alice@example.org"
	j.Peer = queue.PeerInfo{Addr: "192.0.2.1", Hello: "client.example \xff", Protocol: "ESMTPSA"}
	j.Size, j.Key, j.Prefix = 1<<40, []byte{0, 1, 255}, []byte("Received: here\r\n")
	j.Created = c.now.Add(-time.Hour - 123456789)
	j.Expires = c.now.Add(24 * time.Hour)
	j.Attempts, j.Priority, j.Last = 7, 3, "mx.example.net: 451 later"
	j.Crashes, j.Bounce, j.Kind = 1, "given up \xff", "copy:\xff"
	return j
}

// sameJob compares all fields; times as instants.
func (c *check) sameJob(what string, got, want *queue.Job) {
	c.Helper()
	g, w := text(got), text(want)
	if g != w {
		c.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// text is a job with all its fields.
func text(j *queue.Job) string {
	k := j.Clone()
	k.Created, k.Due, k.Expires = utc(j.Created), utc(j.Due), utc(j.Expires)
	if len(k.Params.Unknown) == 0 {
		k.Params.Unknown = nil
	}
	for i := range k.Recipients {
		if r := &k.Recipients[i]; len(r.Params.Unknown) == 0 {
			r.Params.Unknown = nil
		}
	}
	return fmt.Sprintf("%+q %d %v %v %v %d %d", fmt.Sprintf("%+v", *k), k.Attempts, k.Created, k.Due, k.Expires, k.Priority, k.Size)
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Round(0)
}
