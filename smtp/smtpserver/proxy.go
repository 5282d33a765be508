package smtpserver

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/internal/proxyproto"
)

// readProxy reads the header of the PROXY protocol that the connection has to
// start with. Nothing is sent before it, nor where it is faulty: the
// connection is dropped. It has Limits.Greeting to arrive.
func (c *conn) readProxy(p *proxyproto.Conn) error {
	deadline := time.Now().Add(c.cfg.Limits.Greeting)
	for {
		h, n, err := proxyproto.Consume(c.in.Buffered())
		if err == nil {
			c.in.Skip(n)
			if c.cfg.ImplicitTLS {
				p.Unread(c.in.Buffered())
				c.in.Skip(len(c.in.Buffered()))
			}
			c.in.Release()
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
