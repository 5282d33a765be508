package pop3client

import (
	"context"

	"github.com/mailstead/mailstead/internal/clientconn"
)

// startTLS: STLS, handshake, CAPA again (RFC 2595 §4).
func (c *Client) startTLS(ctx context.Context) error {
	if c.caps.Known && !c.caps.STLS {
		return ErrTLSRequired
	}
	if err := c.send(ctx, "STLS"); err != nil {
		return &TLSError{err}
	}
	r, err := c.head(ctx, c.timeouts.Command)
	if err != nil {
		return &TLSError{err}
	}
	if err := c.judge("STLS", r); err != nil {
		return &TLSError{err}
	}
	if c.in.r < c.in.w {
		return &TLSError{c.lost(ctx, ErrInjected)}
	}
	if err := c.handshake(ctx); err != nil {
		return err
	}
	if err := c.askCapabilities(ctx); err != nil {
		return &TLSError{err} // in TLS 1.3 a server that refuses the handshake is heard here
	}
	return nil
}

func (c *Client) handshake(ctx context.Context) error {
	if err := clientconn.Arm(ctx, c.conn.SetDeadline, 0); err != nil {
		return c.lost(ctx, err)
	}
	tc, state, err := clientconn.Handshake(ctx, c.conn, c.d.TLSConfig, c.host, c.timeouts.Connect)
	if err != nil {
		return &TLSError{c.lost(ctx, err)}
	}
	c.conn, c.tls = tc, state
	return nil
}
