package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/examples/internal/program"
	"github.com/mailstead/mailstead/store"
)

// runCmd is run.
type runCmd struct {
	HTTP string `name:"http" placeholder:"ADDR" help:"host:port of /healthz and /debug/vars, in place of that of the configuration; off = none."`
}

// onceCmd is once.
type onceCmd struct {
	Sources []string `arg:"" optional:"" help:"Names of sources; none = all."`
}

// Run implements the command.
func (c *runCmd) Run(a *app) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	if c.HTTP != "" {
		s.HTTP = c.HTTP
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	d, err := a.start(s)
	if err != nil {
		return err
	}
	err = d.serve(a.ctx, hup)
	if err := errors.Join(err, d.stop()); err != nil {
		return err
	}
	a.log.Info("stopped")
	return nil
}

// Run implements the command.
func (c *onceCmd) Run(a *app) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	if err := choose(s, c.Sources); err != nil {
		return err
	}
	svc, err := a.open(s.Data)
	if err != nil {
		return err
	}
	err = a.once(svc, s)
	return errors.Join(err, svc.close())
}

func (a *app) once(svc *service, s *settings.Settings) error {
	g, err := newGeneration(a.ctx, svc, s)
	if err != nil {
		return &useError{err}
	}
	failed := g.with(a.ctx, g.collector.Once)
	t := svc.counts.vars(a.ctx).(countsVars)
	if a.json {
		if err := a.result(t); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(a.out, "collected %d, quarantined %d, deferred %d, removed %d\n", t.All.Fetched, t.All.Quarantined, t.All.Deferred, t.All.Removed)
	}
	if failed != nil {
		fmt.Fprintln(a.err, "connector:", failed)
		return errProblems
	}
	if t.All.Deferred > 0 {
		return errProblems
	}
	return nil
}

// choose leaves the sources of these names.
func choose(s *settings.Settings, names []string) error {
	if len(names) == 0 {
		return nil
	}
	var chosen []*settings.Source
	for _, name := range names {
		i := slices.IndexFunc(s.Sources, func(src *settings.Source) bool { return src.Name == name })
		if i < 0 {
			return bad("there is no source %s", name)
		}
		s.Sources[i].Disabled = false
		chosen = append(chosen, s.Sources[i])
	}
	s.Sources = chosen
	return nil
}

// open opens the data directory.
func (a *app) open(dir string) (*service, error) {
	svc, err := openService(a.ctx, dir, a.log)
	if errors.Is(err, store.ErrInUse) {
		return nil, bad("%w: a connector that runs collects by itself", err)
	}
	if err != nil {
		return nil, bad("data: %w", err)
	}
	return svc, nil
}

// daemon is a connector that runs.
type daemon struct {
	a    *app
	svc  *service
	web  *program.Web
	webL net.Listener // nil = off

	mu  sync.Mutex
	gen *generation // guarded by mu; the one that runs

	control *controls // nil = no socket
	wg      sync.WaitGroup
	end     context.CancelFunc
}

// start opens everything. What it returns collects nothing yet.
func (a *app) start(s *settings.Settings) (_ *daemon, err error) {
	svc, err := a.open(s.Data)
	if err != nil {
		return nil, err
	}
	d := &daemon{a: a, svc: svc}
	defer func() {
		if err != nil {
			err = errors.Join(err, svc.close())
		}
	}()
	if d.gen, err = newGeneration(a.ctx, svc, s); err != nil {
		return nil, &useError{err}
	}
	if s.HTTP != "off" {
		if d.webL, err = net.Listen("tcp", s.HTTP); err != nil {
			return nil, bad("http: %w", err)
		}
		d.web = program.NewWeb(isLoopback(s.HTTP))
		d.web.Publish("connector", svc.counts.vars)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(a.ctx))
	d.end = cancel
	d.wg.Go(func() { svc.freeBodies(ctx) })
	d.openControl()
	if d.web != nil {
		d.wg.Go(func() { d.web.Serve(d.webL) })
		d.web.Ready.Store(true)
		a.log.Info("listening", "service", "http", "addr", d.webL.Addr().String())
	}
	return d, nil
}

// serve collects until ctx ends, with the configuration read again at each hup.
func (d *daemon) serve(ctx context.Context, hup <-chan os.Signal) error {
	for {
		g := d.generation()
		d.a.log.Info("collecting", "sources", len(g.collector.Sources))
		runCtx, stop := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- g.run(runCtx) }()
		next := d.next(runCtx, hup, done)
		stop()
		if err := <-done; err != nil || next == nil {
			return err
		}
		d.mu.Lock()
		d.gen = next
		d.mu.Unlock()
	}
}

// next waits for a configuration that can take the place of the one that runs;
// nil = there is none any more.
func (d *daemon) next(ctx context.Context, hup <-chan os.Signal, done chan error) *generation {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-done:
			done <- err
			return nil
		case <-hup:
		}
		g, err := d.reload(ctx)
		if err == nil {
			d.a.log.Info("the configuration was read again")
			return g
		}
		d.a.log.Error("the configuration was not taken over; the old one stays", "error", err)
	}
}

func (d *daemon) reload(ctx context.Context) (*generation, error) {
	s, err := d.a.settings()
	if err != nil {
		return nil, err
	}
	if old := d.generation().s; s.Data != old.Data {
		return nil, errors.New("data cannot change while the connector runs")
	}
	return newGeneration(ctx, d.svc, s)
}

func (d *daemon) generation() *generation {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gen
}

// drainTime is what requests that are under way get at the end.
const drainTime = 2 * time.Second

// stop ends what start began.
func (d *daemon) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var errs []error
	if d.web != nil {
		errs = append(errs, d.web.Shutdown(ctx))
	}
	if d.control != nil {
		errs = append(errs, d.control.server.Shutdown(ctx))
	}
	d.end()
	d.wg.Wait()
	for i, err := range errs {
		if errors.Is(err, context.DeadlineExceeded) {
			errs[i] = nil
		}
	}
	return errors.Join(append(errs, d.svc.close())...)
}
