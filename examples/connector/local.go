package main

import (
	"context"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
)

// storeTarget delivers into the store of the data directory. Its accounts are
// those of the configuration, and those that are there.
func (g *generation) storeTarget(ctx context.Context, t *settings.Target) (smtp.Receiver, error) {
	d := &deliver.Accounts{Exists: g.exists}
	addresses := t.Accounts
	for _, src := range g.s.Sources {
		if g.s.Targets[src.Target] == t && src.Recipient != "" {
			addresses = append(addresses, src.Recipient)
		}
	}
	for _, address := range addresses {
		id := canonical(address)
		if err := g.svc.makeAccount(ctx, store.AccountID(id)); err != nil {
			return nil, err
		}
	}
	for a, err := range g.svc.engine.Store().Accounts(ctx, "") {
		if err != nil {
			return nil, err
		}
		if _, domain, ok := strings.Cut(string(a.ID), "@"); ok && !d.IsLocal(domain) {
			d.Domains = append(d.Domains, domain)
		}
	}
	return &deliver.LocalDelivery{Store: g.svc.engine.Store(), Directory: d, Hostname: g.s.Hostname}, nil
}

func (g *generation) exists(ctx context.Context, id store.AccountID) (bool, error) {
	_, err := g.svc.engine.Store().Open(ctx, id)
	if errors.Is(err, store.ErrNoAccount) {
		return false, nil
	}
	return err == nil, err
}

// queueTarget puts mail into the queue of the data directory, from which it goes
// to one server. What that refuses for good is held, and not reported: senders
// of collected mail never hear of it.
func (g *generation) queueTarget(_ context.Context, t *settings.Target, relay *deliver.Relay) (smtp.Receiver, error) {
	none := &deliver.Accounts{} // all mail leaves
	router := &deliver.Router{
		Directory: none, IsLocal: none.IsLocal, Local: &deliver.LocalDelivery{Store: g.svc.engine.Store(), Directory: none},
		Remote: &deliver.SmartHost{Addr: t.Address, Relay: *relay},
	}
	q := &queue.Queue{Storage: g.svc.queue, Blobs: g.svc.engine.Blobs(), Router: router}
	g.runner = &queue.Runner{Queue: q, Router: router, PerDestination: t.Concurrency, Logger: g.log}
	q.Kick = g.runner.Kick
	return q, nil
}
