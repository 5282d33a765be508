package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/daemon"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtpserver"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqlite"
)

// relay is everything that runs.
type relay struct {
	o        *options
	log      *slog.Logger
	engine   *sqlite.Engine
	storage  *sqlqueue.Storage
	queue    *queue.Queue
	runner   *queue.Runner
	pool     *smtpclient.Pool // connections to other hosts
	dns      *dnsx.Cache
	users    *login.Service // nil = nobody logs in
	keyPair  *daemon.KeyPair
	web      *program.Web
	parts    []part
	failures chan error
}

// part is one listener with the server behind it.
type part struct {
	name     string
	l        net.Listener
	serve    func(net.Listener) error
	shutdown func(context.Context) error
}

// open opens the data directory and every listener. What it returns serves
// nothing yet.
func open(ctx context.Context, o *options, log *slog.Logger) (_ *relay, err error) {
	r := &relay{o: o, log: log, pool: &smtpclient.Pool{}, failures: make(chan error, 4)}
	defer func() {
		if err != nil {
			r.abandon()
		}
	}()
	if r.dns, err = program.Resolver(ctx, o.resolver); err != nil {
		return nil, err
	}
	if r.engine, err = sqlite.Open(ctx, o.data, sqlite.Options{Logger: log}); err != nil {
		return nil, err
	}
	if r.storage, err = sqlqueue.New(ctx, r.engine.DB(), sqlqueue.Options{Logger: log}); err != nil {
		return nil, err
	}
	if err = r.openTLS(); err != nil {
		return nil, err
	}
	if err = r.openUsers(ctx); err != nil {
		return nil, err
	}
	r.compose()
	return r, r.listen(ctx)
}

// abandon closes what open had opened before it failed.
func (r *relay) abandon() {
	for _, p := range r.parts {
		p.l.Close()
	}
	if r.engine != nil {
		r.engine.Close()
	}
}

// openTLS loads the certificate of the options or, without them, one that
// signs itself.
func (r *relay) openTLS() (err error) {
	cert, key := r.o.tlsCert, r.o.tlsKey
	if cert == "" {
		cert, key = filepath.Join(r.o.data, "cert.pem"), filepath.Join(r.o.data, "key.pem")
		if _, err := os.Stat(cert); errors.Is(err, fs.ErrNotExist) {
			if err := program.SelfSign(cert, key, r.o.hostname); err != nil {
				return err
			}
		}
	}
	if r.keyPair, err = daemon.LoadKeyPair(cert, key, r.log); err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	return nil
}

// listen opens all listeners, so that a bad port is known before anything is
// served.
func (r *relay) listen(ctx context.Context) error {
	r.web = program.NewWeb(isLoopback(r.o.http))
	for _, p := range []struct {
		part
		addr string
	}{
		{r.smtpPart("submission"), r.o.submission},
		{r.smtpPart("submissions"), r.o.submissions},
		{part{name: "http", serve: r.web.Serve, shutdown: r.web.Shutdown}, r.o.http},
	} {
		if p.addr == "off" {
			continue
		}
		l, err := program.Listen(ctx, p.addr, 0o660)
		if err != nil {
			return fmt.Errorf("-%s: %w", p.name, err)
		}
		p.l = l
		r.parts = append(r.parts, p.part)
	}
	if p, ok := r.controlPart(); ok {
		r.parts = append(r.parts, p)
	}
	return nil
}

func (r *relay) smtpPart(name string) part {
	srv := smtpserver.New(r.config(name == "submissions"))
	serve := func(l net.Listener) error { return srv.Serve(context.Background(), l) }
	return part{name: name, serve: serve, shutdown: srv.Shutdown}
}

// What parts of the relay get to come to an end.
const (
	drainTime      = 3 * time.Second         // sessions
	queueDrainTime = 1500 * time.Millisecond // attempts, behind them
)

// serve runs everything until ctx ends or a part fails, then lets sessions and
// attempts finish.
func (r *relay) serve(ctx context.Context) error {
	var servers, workers sync.WaitGroup
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	workers.Go(func() {
		if err := r.runner.Run(work); err != nil {
			r.failures <- fmt.Errorf("queue: %w", err)
		}
	})
	workers.Go(func() { r.collect(work) })
	for _, p := range r.parts {
		servers.Go(func() {
			err := p.serve(p.l)
			if !errors.Is(err, smtpserver.ErrServerClosed) && !errors.Is(err, http.ErrServerClosed) {
				r.failures <- fmt.Errorf("%s: %w", p.name, err)
			}
		})
	}
	r.web.Ready.Store(true)
	var failed error
	select {
	case <-ctx.Done():
	case failed = <-r.failures:
	}
	r.shutdown(context.WithoutCancel(ctx))
	servers.Wait()
	stop()
	workers.Wait()
	return failed
}

// shutdown ends the listeners. Who is cut off got no 250.
func (r *relay) shutdown(ctx context.Context) {
	r.log.Info("draining")
	ctx, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, p := range r.parts {
		wg.Go(func() { p.shutdown(ctx) })
	}
	wg.Wait()
}

// close ends what the queue needed.
func (r *relay) close() error { return errors.Join(r.pool.Close(), r.engine.Close()) }

// collectEvery is how often bodies that nobody needs are freed.
const collectEvery = time.Hour

// collect frees the bodies of messages that are gone, and gives their space
// back, until ctx ends.
func (r *relay) collect(ctx context.Context) {
	c := &blob.Collector{Blobs: r.engine.Blobs(), Holders: []blob.Holder{r.engine.Store(), r.storage}, Logger: r.log}
	tick := time.NewTicker(collectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		_, err := c.Collect(ctx)
		if err == nil {
			_, err = r.engine.Blobs().Compact(ctx)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Error("cannot free bodies", "error", err)
		}
	}
}

// tlsConfig is that of the listeners.
func (r *relay) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.keyPair.GetCertificate}
}
