package imaptest

import (
	"bufio"
	"context"
	"io"
	"net"
	"sync"
)

// Proxy stands between a client and a real server and spoils what the server
// says. It looks into no TLS, so both sides speak without.
type Proxy struct {
	// Dial connects to the server.
	Dial func(ctx context.Context) (net.Conn, error)

	// Fault spoils what the server sends; see SetFault.
	Fault *Fault

	mu sync.Mutex
	wg sync.WaitGroup
}

// DialContext connects through the proxy; its addresses are not looked at.
func (p *Proxy) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	up, err := p.Dial(ctx)
	if err != nil {
		return nil, err
	}
	client, near := net.Pipe()
	p.mu.Lock()
	var m Mangle
	if p.Fault != nil && p.Fault.New != nil {
		m = p.Fault.New()
	}
	p.mu.Unlock()
	p.wg.Go(func() { p.relay(near, up, m) })
	return client, nil
}

// SetFault changes what is spoilt, for the connections that are made behind it.
func (p *Proxy) SetFault(f *Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Fault = f
}

// Wait returns when all connections have ended.
func (p *Proxy) Wait() { p.wg.Wait() }

func (p *Proxy) relay(near, up net.Conn, m Mangle) {
	out := newOutbox(near, m)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(up, near)
		up.Close()
		out.abort()
	})
	buf := make([]byte, 32<<10)
	r := bufio.NewReader(up)
	for {
		n, err := r.Read(buf)
		out.write(buf[:n])
		if err != nil {
			break
		}
	}
	out.flush()
	out.close()
	wg.Wait()
}
