package smtpserver

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/mailstead/mailstead/internal/proxyproto"
)

// proxiedConn is a connection that starts with a header of the PROXY protocol.
// Octets that were read behind the header are read again, by TLS.
type proxiedConn struct {
	net.Conn
	rest []byte // only the serving goroutine reads
}

func (p *proxiedConn) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// CloseWrite closes for writing where the connection can.
func (p *proxiedConn) CloseWrite() error {
	if cw, ok := p.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return errors.ErrUnsupported
}

// readProxy reads the header of the PROXY protocol that the connection has to
// start with. Nothing is sent before it, nor where it is faulty: the
// connection is dropped. It has Limits.Greeting to arrive.
func (c *conn) readProxy(p *proxiedConn) error {
	deadline := time.Now().Add(c.cfg.Limits.Greeting)
	for {
		h, n, err := proxyproto.Consume(c.in.buffered())
		if err == nil {
			c.in.skip(n)
			if c.cfg.ImplicitTLS {
				p.rest = append([]byte(nil), c.in.buffered()...)
				c.in.skip(len(p.rest))
			}
			c.in.release()
			return c.speakFor(h)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = c.fill(deadline, false)
		}
		if err != nil {
			c.log(slog.LevelInfo, "smtp: no PROXY header", err)
			return err
		}
	}
}

// speakFor makes the client of the header the peer, and counts the connection
// as its own.
func (c *conn) speakFor(h proxyproto.Header) error {
	if h.Source.IsValid() {
		c.peer.Addr, c.peer.LocalAddr = h.Source, h.Dest
		c.trusted = c.cfg.isProxy(h.Source.Addr())
	}
	err := c.srv.group.Rekey(c, c.peer.Addr.Addr())
	if err != nil {
		c.log(slog.LevelWarn, "smtp: too many connections", nil)
		c.busy()
	}
	return err
}
