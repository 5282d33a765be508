package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// pool keeps the connections of one purpose: one pool searches, as the service
// account, and another one checks passwords and does nothing else. So no search
// ever runs as a user, and no user is let in by another bind than his own.
type pool struct {
	conf *compiled
	// prepare binds the service account to a new connection; nil = nobody.
	prepare func(ctx context.Context, cn *conn) error
	slots   chan struct{} // one for each connection in use

	closing context.Context
	end     context.CancelFunc

	mu   sync.Mutex
	idle map[*server][]*conn // the last one was used last
}

func newPool(conf *compiled, prepare func(context.Context, *conn) error) *pool {
	p := &pool{
		conf: conf, prepare: prepare,
		slots: make(chan struct{}, conf.MaxConns), idle: make(map[*server][]*conn),
	}
	p.closing, p.end = context.WithCancel(context.Background())
	return p
}

// run runs op on a connection to the first server that can answer.
func (p *pool) run(ctx context.Context, name string, op func(context.Context, *conn) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.closing, func() { cancel(ErrClosed) })()
	if err := p.enter(ctx); err != nil {
		return &Error{Op: name, Err: err}
	}
	defer func() { <-p.slots }()
	var failures []error
	for _, s := range p.byHealth() {
		err := p.on(ctx, s, op)
		if err == nil {
			p.health(ctx, s, nil)
			return nil
		}
		failure := &Error{Op: name, Server: s.url, Err: err}
		if ctx.Err() != nil {
			if errors.Is(err, context.DeadlineExceeded) { // whoever asks is less patient than we are
				p.health(ctx, s, err)
			}
			return failure
		}
		if !elsewhere(err) {
			return failure
		}
		p.health(ctx, s, err)
		failures = append(failures, failure)
	}
	return errors.Join(failures...)
}

// enter waits for a free slot.
func (p *pool) enter(ctx context.Context) error {
	ctx, cancel := withTimeout(ctx, p.conf.Timeout)
	defer cancel()
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.closing.Err() != nil {
		<-p.slots
		return ErrClosed
	}
	return nil
}

// byHealth lists the servers in the configured order, those that failed lately
// behind the others.
func (p *pool) byHealth() []*server {
	now := time.Now()
	var up, down []*server
	for _, s := range p.conf.servers {
		if s.up(now) {
			up = append(up, s)
		} else {
			down = append(down, s)
		}
	}
	return append(up, down...)
}

// health notes how a server did.
func (p *pool) health(ctx context.Context, s *server, err error) {
	if !s.mark(err != nil) {
		return
	}
	if err != nil {
		p.conf.Logger.LogAttrs(ctx, slog.LevelWarn, "ldap server fails", slog.String("server", s.url), slog.Any("error", err))
		return
	}
	p.conf.Logger.LogAttrs(ctx, slog.LevelInfo, "ldap server works again", slog.String("server", s.url))
}

// on runs op on a connection to s: on an idle one if there is one. A server
// may close that at any time, so a new one is tried then.
func (p *pool) on(ctx context.Context, s *server, op func(context.Context, *conn) error) error {
	if cn := p.take(s); cn != nil {
		lost, err := p.use(ctx, cn, op)
		if !lost {
			return err
		}
	}
	cn, err := p.connect(ctx, s)
	if err != nil {
		return fmt.Errorf("%w: %w", errSetup, err)
	}
	_, err = p.use(ctx, cn, op)
	return err
}

// connect makes a connection and prepares it.
func (p *pool) connect(ctx context.Context, s *server) (*conn, error) {
	ctx, cancel := withTimeout(ctx, p.conf.DialTimeout)
	defer cancel()
	cn, err := connect(ctx, s, p.conf)
	if err != nil || p.prepare == nil {
		return cn, err
	}
	if err := p.prepare(ctx, cn); err != nil {
		cn.close()
		return nil, err
	}
	return cn, nil
}

// use runs op. lost: the connection ended in front of an answer.
func (p *pool) use(ctx context.Context, cn *conn, op func(context.Context, *conn) error) (lost bool, err error) {
	defer p.put(cn)
	err = op(ctx, cn)
	return cn.lost, err
}

// take returns an idle connection, or nil.
func (p *pool) take(s *server) *conn {
	now := time.Now()
	var old []*conn
	defer func() {
		for _, cn := range old {
			cn.close()
		}
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle[s]) > 0 {
		list := p.idle[s]
		cn := list[len(list)-1]
		p.idle[s] = list[:len(list)-1]
		if cn.usable() && now.Sub(cn.idleSince) < p.conf.IdleTimeout {
			return cn
		}
		old = append(old, cn)
	}
	return nil
}

// put keeps a connection for the next operation, or closes it.
func (p *pool) put(cn *conn) {
	if !cn.usable() || p.conf.IdleTimeout < 0 || !p.keep(cn) {
		cn.close()
	}
}

func (p *pool) keep(cn *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing.Err() != nil {
		return false
	}
	cn.idleSince = time.Now()
	p.idle[cn.server] = append(p.idle[cn.server], cn)
	return true
}

// close ends all operations and connections, and waits for them.
func (p *pool) close() {
	p.mu.Lock()
	p.end()
	idle := p.idle
	p.idle = make(map[*server][]*conn)
	p.mu.Unlock()
	for _, list := range idle {
		for _, cn := range list {
			cn.close()
		}
	}
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	for range cap(p.slots) {
		<-p.slots
	}
}
