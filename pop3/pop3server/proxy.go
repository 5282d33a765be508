package pop3server

import (
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/mailstead/mailstead/internal/proxyproto"
)

// readProxy reads the header of the PROXY protocol that the connection has to
// start with. Nothing is sent before it, nor where it is faulty.
func (c *conn) readProxy(p *proxyproto.Conn) error {
	var deadline time.Time
	if d := c.srv.cfg.Limits.ProxyTimeout; d > 0 {
		deadline = time.Now().Add(d)
	}
	for {
		h, n, err := proxyproto.Consume(c.in.buffered())
		if err == nil {
			c.in.r += n
			if c.srv.cfg.ImplicitTLS {
				p.Unread(c.in.buffered())
				c.in.r = c.in.w
			}
			return c.speakFor(h)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = c.fill(deadline, proxyproto.MaxHeader+flightSize)
		}
		if err != nil {
			c.logs(slog.LevelInfo, "pop3: no PROXY header", "error", err)
			return err
		}
	}
}

// speakFor makes the client of the header the peer, and counts the connection
// as its own.
func (c *conn) speakFor(h proxyproto.Header) error {
	if h.Source.IsValid() {
		c.peer.Addr = h.Source.Addr()
	}
	err := c.srv.group.Rekey(c, c.peer.Addr)
	if err != nil {
		c.logs(slog.LevelWarn, "pop3: too many connections")
		c.srv.busy(c.raw)
	}
	return err
}
