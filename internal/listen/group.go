// Package listen holds what the protocol servers share: the accept loop, the
// count of connections, and the end of them all.
package listen

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// The errors of a Group.
var (
	ErrClosed  = errors.New("listen: server closed")
	ErrTooMany = errors.New("listen: too many connections")
)

// Conn is one connection as its server keeps it.
type Conn interface {
	// Wake tells the connection that the server is ending: an idle one says
	// goodbye at once, a busy one after what it has begun. now: there is no
	// more time, each says goodbye in the middle of what it does. Wake must
	// not block.
	Wake(now bool)
	// Close ends the connection at once. It may be called more than once.
	Close() error
}

// Limits bound the connections of a Group; zero or negative = no limit.
type Limits struct {
	Total     int
	PerPrefix int            // of one IPv4 address or IPv6 /64; loopback is exempt
	Trusted   []netip.Prefix // exempt from PerPrefix
}

// Group owns the listeners and connections of one server. Its methods may be
// called from any number of goroutines; the fields are set before the first.
type Group struct {
	Limits Limits
	Logger *slog.Logger // required

	mu        sync.Mutex // guards what follows
	closing   bool
	listeners map[net.Listener]bool
	conns     map[Conn]netip.Prefix
	perPrefix map[netip.Prefix]int
	wg        sync.WaitGroup
}

// Serve accepts connections and gives each to start, which must not block,
// until the listener is closed or the group ends; then it closes the listener.
// After Shutdown or Close it returns ErrClosed. Other errors of Accept pass.
func (g *Group) Serve(l net.Listener, start func(net.Conn)) error {
	defer l.Close()
	if !g.addListener(l) {
		return ErrClosed
	}
	defer g.removeListener(l)
	var pause time.Duration
	for {
		nc, err := l.Accept()
		if err == nil {
			pause = 0
			start(nc)
			continue
		}
		switch {
		case g.Closing():
			return ErrClosed
		case errors.Is(err, net.ErrClosed):
			return err
		}
		// Out of file descriptors, or a peer that went away: try again.
		pause = min(max(2*pause, 5*time.Millisecond), time.Second)
		g.Logger.Warn("accept failed", "error", err, "retry", pause)
		time.Sleep(pause)
	}
}

func (g *Group) addListener(l net.Listener) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return false
	}
	if g.listeners == nil {
		g.listeners = make(map[net.Listener]bool)
	}
	g.listeners[l] = true
	return true
}

func (g *Group) removeListener(l net.Listener) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.listeners, l)
}

// Add counts a connection in; Done takes it out. ErrTooMany, ErrClosed.
func (g *Group) Add(c Conn, addr netip.Addr) error {
	key := g.key(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closing:
		return ErrClosed
	case g.Limits.Total > 0 && len(g.conns) >= g.Limits.Total,
		key.IsValid() && g.Limits.PerPrefix > 0 && g.perPrefix[key] >= g.Limits.PerPrefix:
		return ErrTooMany
	}
	if g.conns == nil {
		g.conns, g.perPrefix = make(map[Conn]netip.Prefix), make(map[netip.Prefix]int)
	}
	if key.IsValid() {
		g.perPrefix[key]++
	}
	g.conns[c] = key
	g.wg.Add(1)
	return nil
}

// Rekey counts a connection under another address: that of the client for
// which its peer speaks. ErrTooMany: the connection is one too many there, and
// counted as before.
func (g *Group) Rekey(c Conn, addr netip.Addr) error {
	key := g.key(addr)
	g.mu.Lock()
	defer g.mu.Unlock()
	old, known := g.conns[c]
	switch {
	case !known || key == old:
		return nil
	case key.IsValid() && g.Limits.PerPrefix > 0 && g.perPrefix[key] >= g.Limits.PerPrefix:
		return ErrTooMany
	}
	if key.IsValid() {
		g.perPrefix[key]++
	}
	g.forgetLocked(old)
	g.conns[c] = key
	return nil
}

// forgetLocked counts one connection less under key.
func (g *Group) forgetLocked(key netip.Prefix) {
	if !key.IsValid() {
		return
	}
	if g.perPrefix[key]--; g.perPrefix[key] == 0 {
		delete(g.perPrefix, key)
	}
}

// Done takes out a connection whose goroutine is about to end.
func (g *Group) Done(c Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forgetLocked(g.conns[c])
	delete(g.conns, c)
	g.wg.Done()
}

// key is what connections from a are counted under; the zero Prefix for those
// that PerPrefix does not bound.
func (g *Group) key(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.IsLoopback() {
		return netip.Prefix{}
	}
	for _, p := range g.Limits.Trusted {
		if p.Contains(a) {
			return netip.Prefix{}
		}
	}
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits)
	return p
}

// Closing reports whether Shutdown or Close was called.
func (g *Group) Closing() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closing
}

// lastWords is what connections get to say goodbye when the time is up.
const lastWords = 250 * time.Millisecond

// Shutdown stops accepting, wakes every connection and waits for them to end.
// When ctx ends first, each is told so, then closed, and the context's error
// is returned.
func (g *Group) Shutdown(ctx context.Context) error {
	wake(g.stop(), false)
	done := make(chan struct{})
	go func() {
		g.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	wake(g.stop(), true)
	timer := time.NewTimer(lastWords)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		g.Close()
		<-done
	}
	return ctx.Err()
}

func wake(conns []Conn, now bool) {
	for _, c := range conns {
		c.Wake(now)
	}
}

// Close closes all listeners and connections at once and waits for the
// goroutines that serve them.
func (g *Group) Close() {
	for _, c := range g.stop() {
		c.Close()
	}
	g.wg.Wait()
}

func (g *Group) stop() []Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closing = true
	for l := range g.listeners {
		l.Close()
	}
	conns := make([]Conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	return conns
}

// AddrOf is the IP address of the other side; the zero Addr for a transport
// without.
func AddrOf(nc net.Conn) netip.AddrPort {
	if a, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		ap := a.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
