package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqlite"
)

// senders hand messages to the queue at the same time.
const senders = 8

const inboxOwner = store.AccountID("alice@example.org")

// path is a message's whole way through one data directory.
type path struct {
	engine *sqlite.Engine
	queue  *queue.Queue
	runner *queue.Runner
}

func openPath(ctx context.Context, dir string, control bool) (*path, error) {
	e, err := sqlite.Open(ctx, dir, sqliteOptions(control))
	if err != nil {
		return nil, err
	}
	s, err := sqlqueue.New(ctx, e.DB(), sqlqueue.Options{})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	if err := e.Store().Create(ctx, inboxOwner, store.AccountInfo{}); err != nil && !errors.Is(err, store.ErrExists) {
		return nil, errors.Join(err, e.Close())
	}
	directory := &deliver.Accounts{
		Domains: []string{"example.org"},
		Exists:  func(_ context.Context, id store.AccountID) (bool, error) { return id == inboxOwner, nil },
	}
	router := &deliver.Router{
		Directory: directory, IsLocal: directory.IsLocal, Remote: &deliver.MX{},
		Local: &deliver.LocalDelivery{Store: e.Store(), Directory: directory, NoDeliveredTo: true},
	}
	p := &path{engine: e, queue: &queue.Queue{Storage: s, Blobs: e.Blobs(), Router: router}}
	p.runner = &queue.Runner{Queue: p.queue, Router: router, Logger: slog.New(slog.DiscardHandler)}
	p.queue.Kick = p.runner.Kick
	return p, nil
}

// runQueue sends messages and delivers them until the process is killed.
func runQueue(ctx context.Context, dir string, control bool) error {
	p, err := openPath(ctx, dir, control)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, senders+1)
	wg.Go(func() { errs <- p.runner.Run(ctx) })
	for range senders {
		wg.Go(func() {
			for {
				if err := p.send(ctx, newSeed()); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	return <-errs
}

func (p *path) send(ctx context.Context, seed uint32) error {
	mail := &smtp.Mail{ID: smtp.NewID(), Received: time.Now()}
	env := &smtp.Envelope{Mail: mail, Recipients: []*smtp.Recipient{
		{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: "alice", Domain: "example.org"}}},
	}}
	if err := p.queue.Enqueue(ctx, env, bytes.NewReader(body(seed))); err != nil {
		return err
	}
	return say("queued %d", seed)
}

// verifyQueue delivers what is left in the queue, and looks for every message
// in INBOX: there, whole, and once.
func verifyQueue(ctx context.Context, dir string, lines io.Reader) (err error) {
	p, err := openPath(ctx, dir, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.engine.Close()) }()
	if err := p.empty(ctx); err != nil {
		return err
	}
	got, err := p.inbox(ctx)
	if err != nil {
		return err
	}
	for seed, n := range got {
		if n != 1 {
			return fmt.Errorf("message %d is there %d times", seed, n)
		}
	}
	for s := bufio.NewScanner(lines); s.Scan(); {
		seed, err := strconv.ParseUint(strings.TrimPrefix(s.Text(), "queued "), 10, 32)
		if err != nil {
			return err
		}
		if got[uint32(seed)] == 0 {
			return fmt.Errorf("message %d is missing", seed)
		}
	}
	return nil
}

// empty runs the queue until nothing is left in it.
func (p *path) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- p.runner.Run(running) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		st, err := p.queue.Storage.Stats(ctx)
		if err != nil || st.Jobs == 0 {
			stop()
			return errors.Join(err, <-done)
		}
		<-tick.C
	}
}

// inbox counts the messages in INBOX by their seed; a torn one is an error.
func (p *path) inbox(ctx context.Context) (map[uint32]int, error) {
	a, err := p.engine.Store().Open(ctx, inboxOwner)
	if err != nil {
		return nil, err
	}
	box, err := store.MailboxByName(ctx, a, "INBOX")
	if err != nil {
		return nil, err
	}
	got := make(map[uint32]int)
	for m, err := range a.Messages(ctx, box.ID, store.Query{}) {
		if err != nil {
			return nil, err
		}
		seed, err := p.check(ctx, a, box.ID, m.UID)
		if err != nil {
			return nil, err
		}
		got[seed]++
	}
	return got, nil
}

// check reads a message and returns its seed.
func (p *path) check(ctx context.Context, a store.Account, box store.MailboxID, uid store.UID) (uint32, error) {
	c, err := a.Content(ctx, box, uid)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	b, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		return 0, err
	}
	_, b, _ = bytes.Cut(b, []byte("Return-Path: <>\r\n"))
	seed, err := seedOf(b)
	if err != nil {
		return 0, fmt.Errorf("UID %d: %w", uid, err)
	}
	return seed, nil
}
