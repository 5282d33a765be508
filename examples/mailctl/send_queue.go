package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/intake"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/store/control"
	"github.com/mailstead/mailstead/store/sqlite"
)

// enqueue puts the message into the queue of the data directory, through the
// server that owns it or directly.
func (c *sendCmd) enqueue(a *app, l *letter, x *sent, keys []dkim.Key) error {
	return a.withStore(false, func(e *sqlite.Engine) error {
		s, err := sqlqueue.New(a.ctx, e.DB(), sqlqueue.Options{Logger: a.log})
		if err != nil {
			return err
		}
		domains, err := localDomains(a, e)
		if err != nil {
			return err
		}
		// Only where a job waits is decided here; where it goes to, by the server
		// that leases it.
		router := &deliver.Router{IsLocal: func(d string) bool { return domains[strings.ToLower(d)] }, Remote: byDomain{}}
		q := &queue.Queue{Storage: s, Blobs: e.Blobs(), Router: router, Admit: a.holdRules(s).Admit}
		into := &intake.Intake{Queue: q, Steps: []intake.Step{submission.Declare()}}
		return hand(a.ctx, smtp.Chain(into, c.fixes(keys)...), l, x)
	}, func(s *server) error {
		if len(keys) > 0 {
			return &useError{"--dkim: the server that owns the data directory signs with its own keys"}
		}
		return c.submit(a, s, l, x)
	})
}

// byDomain names the domain of an address as its next hop.
type byDomain struct{}

func (byDomain) Key(p smtp.ForwardPath) string { return strings.ToLower(p.Domain) }

func (byDomain) Receiver(string) (smtp.Receiver, string) { return nil, "" }

// localDomains are those of the accounts.
func localDomains(a *app, e *sqlite.Engine) (map[string]bool, error) {
	domains := map[string]bool{}
	for info, err := range e.Store().Accounts(a.ctx, "") {
		if err != nil {
			return nil, err
		}
		if _, domain, ok := strings.Cut(string(info.ID), "@"); ok {
			domains[domain] = true
		}
	}
	return domains, nil
}

// submit lets the server that owns the data directory queue the message. It reads
// it from a file beside its own, which belongs to its user.
func (c *sendCmd) submit(a *app, s *server, l *letter, x *sent) error {
	dir, err := filepath.Abs(a.data)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "mailctl-send-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = io.Copy(f, l.text.body())
	err = errors.Join(err, giveTo(f, filepath.Join(dir, control.SocketName)), f.Close())
	if err != nil {
		return err
	}
	in := answer.SendRequest{File: f.Name(), From: x.From, ID: x.ID, AsIs: c.AsIs, UTF8: l.mail.Params.UTF8}
	for i := range x.Recipients {
		in.To = append(in.To, x.Recipients[i].Address)
	}
	var out answer.Queued
	if err := s.Do(a.ctx, http.MethodPost, "/v1/queue/send", in, &out); err != nil {
		return err
	}
	if len(out.Recipients) != len(x.Recipients) {
		return errors.New("the server does not say what became of each recipient")
	}
	for i, r := range out.Recipients {
		d := &x.Recipients[i]
		switch {
		case r.Refused == "":
			d.Outcome = "queued"
		case r.Permanent:
			d.Outcome, d.Reply = smtpclient.Failed.String(), r.Refused
		default:
			d.Outcome, d.Reply = smtpclient.Deferred.String(), r.Refused
		}
	}
	return nil
}

// giveTo gives the file to the owner of the socket, where that is another user.
func giveTo(f *os.File, socket string) error {
	info, err := os.Stat(socket)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Getuid() {
		return nil
	}
	return f.Chown(int(owner.Uid), int(owner.Gid))
}
