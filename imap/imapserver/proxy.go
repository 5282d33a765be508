package imapserver

import (
	"errors"
	"io"
	"time"

	"github.com/mailstead/mailstead/internal/proxyproto"
)

// readProxy reads the header of the PROXY protocol that the connection has to
// start with. Nothing is sent before it, nor where it is faulty.
func (c *conn) readProxy(p *proxyproto.Conn) error {
	var deadline time.Time
	if d := c.server.cfg.Limits.ProxyTimeout; d > 0 {
		deadline = time.Now().Add(d)
	}
	if err := c.open(deadline); err != nil {
		return err
	}
	h, err := readHeader(p)
	if err = c.opened(err); err != nil {
		c.log.Info("imap: no PROXY header", "err", err)
		return err
	}
	return c.speakFor(h)
}

// readHeader reads a header, and puts back what comes behind it.
func readHeader(p *proxyproto.Conn) (proxyproto.Header, error) {
	var b []byte
	for {
		h, n, err := proxyproto.Consume(b)
		if err == nil {
			p.Unread(b[n:])
			return h, nil
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			b, err = more(p, b)
		}
		if err != nil {
			return h, err
		}
	}
}

// more reads once and adds to b.
func more(r io.Reader, b []byte) ([]byte, error) {
	var chunk [512]byte
	n, err := r.Read(chunk[:])
	if n > 0 {
		err = nil
	}
	return append(b, chunk[:n]...), err
}

// speakFor makes the client of the header the peer, and counts the connection
// as its own.
func (c *conn) speakFor(h proxyproto.Header) error {
	if h.Source.IsValid() {
		c.peer.Addr = h.Source.Addr()
		c.log = c.logger()
	}
	err := c.server.group.Rekey(c, c.peer.Addr)
	if err != nil {
		c.log.Warn("imap: too many connections")
		c.turnAway()
	}
	return err
}
