// Command webhook takes mail by SMTP and posts each message, signed, to a URL.
// A message is in a durable queue before the sender hears 250, and stays there
// until the URL has answered 2xx.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

type options struct {
	listen, url, secret, domain, data, hostname string
	retry, retryMax, expire, timeout            time.Duration
	maxMessage                                  int64
}

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return program.ExitOK
	case err != nil:
		fmt.Fprintln(os.Stderr, "webhook:", err)
		return program.ExitUse
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := program.Context()
	defer stop()
	store, err := open(ctx, o.data, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		return program.ExitUse
	}
	defer store.close()
	if err := serve(ctx, o, store, log); err != nil {
		fmt.Fprintln(os.Stderr, "webhook:", err)
		return program.ExitUse
	}
	log.Info("stopped")
	return program.ExitOK
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("webhook", flag.ContinueOnError)
	fs.StringVar(&o.listen, "smtp", "127.0.0.1:2525", "`host:port` to take mail at")
	fs.StringVar(&o.url, "url", "", "`URL` to post to: https://, or http:// (required)")
	fs.StringVar(&o.secret, "secret", "", "signing `secret`: whsec_ and base64, or any text; @FILE reads it (required)")
	fs.StringVar(&o.domain, "domain", "", "accept recipients of these `domains` only, with commas between (default all)")
	fs.StringVar(&o.data, "data", "./webhook-data", "`directory` of the queue; created when missing")
	fs.StringVar(&o.hostname, "hostname", "localhost", "`name` of this host")
	fs.DurationVar(&o.retry, "retry", time.Minute, "wait after the first failure; it doubles from then on")
	fs.DurationVar(&o.retryMax, "retry-max", time.Hour, "longest wait")
	fs.DurationVar(&o.expire, "expire", 5*24*time.Hour, "age at which a message is held, and tried no more")
	fs.DurationVar(&o.timeout, "timeout", time.Minute, "for one request")
	fs.Int64Var(&o.maxMessage, "max-message", 35_000_000, "greatest message in octets")
	if err := program.Parse(fs, args, os.Getenv); err != nil {
		return nil, err
	}
	u, err := url.Parse(o.url)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("-url: an https:// or http:// URL is needed")
	}
	if o.secret == "" {
		return nil, errors.New("-secret is needed: the receiver has to know who posts")
	}
	return o, nil
}

// serve wires SMTP, queue and hook, and runs them until a signal.
func serve(ctx context.Context, o *options, s *storage, log *slog.Logger) error {
	h, err := newHook(o)
	if err != nil {
		return err
	}
	q := &queue.Queue{Storage: s.queue, Blobs: s.blobs, Router: h}
	runner := &queue.Runner{
		Queue: q, Router: h, Logger: log, Workers: 20,
		Schedule: queue.Schedule{First: o.retry, Max: o.retryMax, Expire: o.expire, Delayed: -1},
	}
	q.Kick = runner.Kick
	cfg := smtpserver.Config{
		Hostname: o.hostname, Logger: log, Extensions: smtpserver.DefaultExtensions | smtpserver.SMTPUTF8,
		Receiver: smtp.Chain(q,
			onlyFor(o.domain),
			smtppolicy.Received(o.hostname),
			smtppolicy.EditHeader(smtppolicy.Limits{}, smtppolicy.LoopLimit(0)),
		),
	}
	cfg.Limits.Message = o.maxMessage
	l, err := program.Listen(ctx, o.listen, 0)
	if err != nil {
		return err
	}
	fmt.Printf("webhook: %s -> %s\n", l.Addr(), h.shown())
	work, cancel := context.WithCancel(context.WithoutCancel(ctx)) // outlives the sessions
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.collect(work, log)
	}()
	running := make(chan error, 1)
	go func() { running <- runner.Run(work) }()
	err = program.Serve(ctx, smtpserver.New(cfg), l)
	cancel()
	<-ended
	if runErr := <-running; !errors.Is(runErr, context.Canceled) {
		err = errors.Join(err, runErr)
	}
	return err
}

// onlyFor refuses recipients of other domains; "" = none is refused.
func onlyFor(domains string) smtp.Middleware {
	return smtp.JudgeRcpt(func(_ context.Context, _ *smtp.Mail, rs []*smtp.Recipient) []error {
		errs := make([]error, len(rs))
		for i, r := range rs {
			if domains != "" && !r.ForwardPath.IsPostmaster() && !contains(domains, r.ForwardPath.Domain) {
				errs[i] = smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "Relaying denied")
			}
		}
		return errs
	})
}

func contains(domains, domain string) bool {
	for d := range strings.SplitSeq(domains, ",") {
		if strings.EqualFold(strings.TrimSpace(d), domain) {
			return true
		}
	}
	return false
}
