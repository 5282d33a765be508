package itest

import (
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// cutter is a proxy that breaks connections, or kills the client, behind random
// octets. The same seed makes the same plan.
type cutter struct {
	addr   string
	server string
	wg     sync.WaitGroup

	mu    sync.Mutex
	rnd   *rand.Rand
	left  int         // cuts or kills that are still to come
	over  bool        // no more of them
	most  int         // octets in front of one, at most
	kills bool        // in place of cuts
	kill  func() bool // false = there was nobody to kill
}

func newCutter(t *testing.T, server string, seed uint64, cuts, most int) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &cutter{addr: l.Addr().String(), server: server, rnd: rand.New(rand.NewPCG(seed, 1)), left: cuts, most: most}
	p.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() { l.Close(); p.wg.Wait() })
	return p
}

// plan is behind how many octets the next connection breaks; -1 = it does not.
func (p *cutter) plan() *budget {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left <= 0 || p.over {
		return &budget{left: -1}
	}
	b := &budget{left: p.rnd.IntN(p.most), goesOn: p.kills}
	if p.rnd.IntN(4) == 0 {
		b.left = p.rnd.IntN(2000)
	}
	return b
}

func (p *cutter) serve(c *net.TCPConn) {
	defer c.Close()
	s, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer s.Close()
	b := p.plan()
	b.over = sync.OnceFunc(func() {
		if b.goesOn {
			p.wg.Go(p.killSoon)
			return
		}
		p.mu.Lock()
		p.left--
		p.mu.Unlock()
		c.SetLinger(0)
		s.(*net.TCPConn).SetLinger(0)
		c.Close()
		s.Close()
	})
	var wg sync.WaitGroup
	for _, way := range [][2]*net.TCPConn{{c, s.(*net.TCPConn)}, {s.(*net.TCPConn), c}} {
		wg.Go(func() {
			b.copy(way[1], way[0])
			way[1].CloseWrite()
		})
	}
	wg.Wait()
}

// killSoon kills the client after up to 10 ms: also while nothing comes from the
// server, and what came is on its way to its recipient.
func (p *cutter) killSoon() {
	p.mu.Lock()
	delay := time.Duration(p.rnd.IntN(10_000)) * time.Microsecond
	p.mu.Unlock()
	<-time.After(delay)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kill != nil && p.kill() {
		p.left--
	}
}

// onKill says whom to kill from now on.
func (p *cutter) onKill(kill func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill, p.kills = kill, true
}

// done reports that none is to come any more.
func (p *cutter) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over || p.left <= 0
}

func (p *cutter) cutsLeft() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.left
}

// giveUp lets all connections live.
func (p *cutter) giveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// budget is what may pass, in both directions.
type budget struct {
	mu     sync.Mutex
	left   int // negative = all
	goesOn bool
	over   func()
}

// take takes n octets; over is whether these are too many.
func (b *budget) take(n int) (pass int, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < 0 {
		return n, false
	}
	if n <= b.left {
		b.left -= n
		return n, false
	}
	if b.goesOn {
		b.left = -1
		return n, true
	}
	pass, b.left = b.left, 0
	return pass, true
}

func (b *budget) copy(dst, src net.Conn) {
	buf := make([]byte, 4096)
	for {
		n, err := src.Read(buf)
		pass, over := b.take(n)
		if _, writeErr := dst.Write(buf[:pass]); writeErr != nil {
			return
		}
		if over {
			b.over()
		}
		if err != nil || over && !b.goesOn {
			return
		}
	}
}
