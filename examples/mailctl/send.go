package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/auth"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/deliver/submission"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/smtp"
)

type sendCmd struct {
	File string `arg:"" optional:"" help:"The message, or with --subject its text; - and nothing = the standard input." default:"-"`

	Server string   `help:"Where to: smtp://, submission://, submissions:// or lmtp://[USER@]HOST[:PORT], or lmtp:/PATH of a socket." placeholder:"URL"`
	Queue  bool     `help:"Into the queue of the data directory, through the server that owns it or directly."`
	From   string   `help:"Reverse-path; without it Sender or From of the message; <> = the null sender." placeholder:"ADDRESS"`
	To     []string `help:"A recipient; repeatable. Without it those in To, Cc and Bcc of the message." placeholder:"ADDRESS" sep:"none"`

	Subject string   `help:"Write a message with this subject around the text." placeholder:"TEXT"`
	Attach  []string `help:"With --subject: attach this file; repeatable." placeholder:"FILE" sep:"none"`
	DKIM    []string `name:"dkim" help:"Sign the message, unless a server does when it queues it; repeatable." placeholder:"DOMAIN:SELECTOR:KEYFILE" sep:"none"`
	AsIs    bool     `help:"Leave the header as it is: add no Date, Message-ID or From, and keep Bcc."`

	connection `embed:""`
}

// letter is a message on its way.
type letter struct {
	mail *smtp.Mail
	rcpt []*smtp.Recipient
	text *draft
}

// delivery is what became of one recipient.
type delivery struct {
	Address string `json:"address"`
	Outcome string `json:"outcome"` // delivered, queued, deferred, failed, unknown
	Command string `json:"command,omitempty"`
	Reply   string `json:"reply,omitempty"` // of the server
	Error   string `json:"error,omitempty"` // of this side
}

// sent is the answer of send.
type sent struct {
	ID         string     `json:"id"`     // for logs, and of queue list --message
	Server     string     `json:"server"` // "queue" for the queue
	QueueID    string     `json:"queue_id,omitempty"`
	From       string     `json:"from"` // "" = the null sender
	Recipients []delivery `json:"recipients"`
	Size       int64      `json:"size"`
	DryRun     bool       `json:"dry_run,omitempty"`
}

// Run sends a message.
func (c *sendCmd) Run(a *app) error {
	if (c.Server == "") == !c.Queue {
		return &useError{"say where to: --server URL, or --queue"}
	}
	if len(c.Attach) > 0 && c.Subject == "" {
		return &useError{"--attach needs --subject"}
	}
	keys, err := c.keys()
	if err != nil {
		return err
	}
	var way *route
	if !c.Queue {
		if way, err = c.route(c.Server); err != nil {
			return err
		}
	}
	l, err := c.letter(a)
	if err != nil {
		return err
	}
	defer l.text.Close()
	x := &sent{ID: l.mail.ID, Server: "queue", From: l.mail.ReversePath.String(), Size: l.text.size, DryRun: a.dryRun}
	if way != nil {
		x.Server = way.String()
	}
	for _, r := range l.rcpt {
		x.Recipients = append(x.Recipients, delivery{Address: r.ForwardPath.String()})
	}
	switch {
	case a.dryRun:
		return a.result(x, fmt.Sprintf("would send %s from <%s> to %d recipients, %s", size(x.Size), x.From, len(x.Recipients), x.Server))
	case c.Queue:
		err = c.enqueue(a, l, x, keys)
	default:
		r := smtp.Chain(&sending{way: way, x: x}, c.fixes(keys)...)
		err = hand(a.ctx, r, l, x)
	}
	if err != nil {
		return err
	}
	return x.end(a)
}

func (c *sendCmd) keys() (keys []dkim.Key, err error) {
	for _, v := range c.DKIM {
		key, err := program.DKIMKey(v)
		if err != nil {
			return nil, &useError{"--dkim: " + err.Error()}
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// fixes is what is done to the message on its way.
func (c *sendCmd) fixes(keys []dkim.Key) (list []smtp.Middleware) {
	if !c.AsIs {
		list = append(list, (&submission.Fixes{Hostname: c.hostname()}).Middleware())
	}
	if len(keys) > 0 {
		list = append(list, (&auth.Signer{Keys: auth.KeysOf(keys)}).Middleware())
	}
	return list
}

// letter reads the message, and finds out from whom and to whom it is.
func (c *sendCmd) letter(a *app) (_ *letter, err error) {
	text, err := c.draft(a)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			text.Close()
		}
	}()
	l := &letter{mail: &smtp.Mail{ID: smtp.NewID(), PerRecipient: true}, text: text}
	from, err := text.sender(c.From)
	if err != nil {
		return nil, err
	}
	l.mail.ReversePath = from
	to, err := text.recipients(c.To)
	if err != nil {
		return nil, err
	}
	for _, p := range to {
		if !slices.ContainsFunc(l.rcpt, func(r *smtp.Recipient) bool { return r.ForwardPath.Equal(p) }) {
			l.rcpt = append(l.rcpt, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: p}})
		}
	}
	l.mail.Params.UTF8 = text.utf8 || from.NeedsUTF8() || slices.ContainsFunc(to, smtp.Path.NeedsUTF8)
	if text.eightBit {
		l.mail.Params.Body = smtp.Body8BitMIME
	}
	return l, nil
}

// hostname is what this host calls itself.
func (c *connection) hostname() string {
	if c.Hello != "" {
		return c.Hello
	}
	if name, err := os.Hostname(); err == nil && name != "" {
		return name
	}
	return "localhost"
}

// end tells what became of the recipients, and by the exit code of the worst.
func (x *sent) end(a *app) error {
	var lines []string
	failed, later := false, false
	for i := range x.Recipients {
		d := &x.Recipients[i]
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%-9s  %s  %s%s", d.Outcome, d.Address, d.Reply, d.Error), " "))
		switch d.Outcome {
		case "delivered", "queued":
		case "failed":
			failed = true
		default:
			later = true
		}
	}
	if err := a.result(x, lines...); err != nil {
		return err
	}
	switch {
	case failed:
		return errProblems
	case later:
		return errLater
	}
	return nil
}
