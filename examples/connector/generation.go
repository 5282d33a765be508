package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/deliver/fetch/recipient"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/store"
)

// generation is what was made of one reading of the configuration.
type generation struct {
	svc       *service
	s         *settings.Settings
	log       *slog.Logger
	pool      *smtpclient.Pool // connections to targets
	targets   map[string]smtp.Receiver
	tokens    map[string]login.TokenSource
	table     *recipient.Table // nil = addresses are not mapped
	collector *fetch.Collector
	runner    *queue.Runner // nil = no target is a queue
}

// newGeneration makes everything of a configuration, and connects to nobody. The
// errors say which source or target it is.
func newGeneration(ctx context.Context, svc *service, s *settings.Settings) (*generation, error) {
	g, err := bareGeneration(s, svc.log)
	if err != nil {
		return nil, err
	}
	g.svc = svc
	var errs []error
	for _, name := range sortedNames(s.Targets) {
		r, err := g.target(ctx, s.Targets[name])
		if err != nil {
			errs = append(errs, s.FaultAt("targets."+name, err))
			continue
		}
		g.targets[name] = r
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if err = g.switchOver(); err != nil {
		return nil, err
	}
	quarantine, err := g.quarantine(ctx)
	if err != nil {
		return nil, err
	}
	g.collector = &fetch.Collector{
		State: svc.state, Blobs: svc.engine.Blobs(), Quarantine: quarantine, Hostname: s.Hostname,
		PerHost: s.Limits.SessionsPerHost, Sessions: s.Limits.Sessions, OnEvent: svc.counts.event, Logger: svc.log,
	}
	for i, src := range s.Sources {
		if src.Disabled {
			continue
		}
		made, err := g.source(src)
		if err != nil {
			errs = append(errs, s.FaultAt(fmt.Sprintf("source[%d]", i), err))
			continue
		}
		g.collector.Sources = append(g.collector.Sources, made)
	}
	return g, errors.Join(errs...)
}

// bareGeneration has no targets: it knows the sources and their recipients.
func bareGeneration(s *settings.Settings, log *slog.Logger) (*generation, error) {
	table, err := s.Table()
	return &generation{
		s: s, log: log, pool: &smtpclient.Pool{}, table: table,
		targets: make(map[string]smtp.Receiver), tokens: make(map[string]login.TokenSource),
	}, err
}

// switchOver puts the old server beside each target that a source uses.
func (g *generation) switchOver() error {
	o := g.s.SwitchOver
	if o == nil {
		return nil
	}
	stages, err := g.s.Stages()
	if err != nil {
		return err
	}
	old := g.targets[o.Old]
	for name, r := range g.targets {
		if name != o.Old {
			g.targets[name] = &recipient.Staged{Stages: stages, New: r, Old: old}
		}
	}
	return nil
}

func (g *generation) quarantine(ctx context.Context) (fetch.Quarantine, error) {
	q := g.s.Quarantine
	if q.Off {
		return nil, nil
	}
	id := ownAccount
	if q.Account != "" {
		id = store.AccountID(canonical(q.Account))
		if err := g.svc.makeAccount(ctx, id); err != nil {
			return nil, err
		}
	}
	return &fetch.Mailbox{Store: g.svc.engine.Store(), Account: id, Name: q.Mailbox}, nil
}

// canonical is the name of the account of an address that was checked.
func canonical(address string) string {
	p, err := smtp.ParseMailbox(address, true)
	if err != nil {
		return address
	}
	return deliver.CanonicalAddress(p)
}

// source makes a fetch.Source.
func (g *generation) source(src *settings.Source) (*fetch.Source, error) {
	open, err := g.opener(src)
	if err != nil {
		return nil, err
	}
	recipients, err := g.recipients(src)
	if err != nil {
		return nil, err
	}
	every, err := settings.ParseDuration(src.Every)
	return &fetch.Source{
		Name: src.Name, Host: src.Host, Open: open, Recipients: recipients, Target: g.targets[src.Target],
		Keep: src.Keep(), Every: every, Idle: src.IsIMAP() && (src.Idle == nil || *src.Idle),
		MaxSize: src.MaxSize(), MaxMessages: src.MaxMessages,
	}, err
}

// recipients is who gets the mail of a source.
func (g *generation) recipients(src *settings.Source) (fetch.Recipients, error) {
	c := recipient.Config{To: []string{src.Recipient}, Separator: g.s.Separator}
	if src.CatchAll != nil {
		c = g.s.Config(src.CatchAll)
	}
	if g.table != nil {
		c.Map = g.table
	}
	return recipient.New(c)
}

// run collects until ctx ends. The queue goes on until what was collected lies
// in it.
func (g *generation) run(ctx context.Context) error {
	return g.with(ctx, g.collector.Run)
}

// with runs collect, and the queue around it.
func (g *generation) with(ctx context.Context, collect func(context.Context) error) error {
	queueCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var wg sync.WaitGroup
	var failed error
	if g.runner != nil {
		wg.Go(func() { failed = g.runner.Run(queueCtx) })
	}
	err := collect(ctx)
	stop()
	wg.Wait()
	return errors.Join(err, failed, g.pool.Close())
}
