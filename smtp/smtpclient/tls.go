package smtpclient

import (
	"context"
	"crypto/tls"

	"github.com/mailstead/mailstead/smtp"
)

// startTLS: STARTTLS, handshake, EHLO again (RFC 3207 §4).
func (c *Client) startTLS(ctx context.Context) error {
	if !c.caps.StartTLS {
		return ErrTLSRequired
	}
	r, err := c.command(ctx, c.timeouts.Command, "STARTTLS")
	if err != nil {
		return err
	}
	if r.Code != 220 {
		return &smtp.Error{Reply: r}
	}
	if c.in.buffered() {
		c.broken = ErrInjected
		return ErrInjected
	}
	if err := c.handshake(ctx); err != nil {
		return err
	}
	return c.hello(ctx)
}

func (c *Client) handshake(ctx context.Context) error {
	cfg := &tls.Config{}
	if c.d.TLSConfig != nil {
		cfg = c.d.TLSConfig.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = c.host
	}
	tc := tls.Client(c.conn, cfg)
	hctx, cancel := withTimeout(ctx, c.timeouts.Connect)
	defer cancel()
	if err := arm(ctx, c.conn.SetDeadline, 0); err != nil {
		return c.lost(ctx, err)
	}
	if err := tc.HandshakeContext(hctx); err != nil {
		return c.lost(ctx, err)
	}
	state := tc.ConnectionState()
	c.conn, c.tls = tc, &state
	return nil
}
