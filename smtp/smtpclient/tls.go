package smtpclient

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/smtp"
)

// TLSError is the error of a server that offers TLS and then refuses STARTTLS,
// fails the handshake, or is lost in between: without TLS it may do better.
type TLSError struct {
	Err error // never nil
}

func (e *TLSError) Error() string { return "TLS: " + e.Err.Error() }
func (e *TLSError) Unwrap() error { return e.Err }

// startTLS: STARTTLS, handshake, EHLO again (RFC 3207 §4).
func (c *Client) startTLS(ctx context.Context) error {
	if !c.caps.StartTLS {
		return ErrTLSRequired
	}
	r, err := c.command(ctx, c.timeouts.Command, "STARTTLS")
	if err != nil {
		return &TLSError{err}
	}
	if r.Code != 220 {
		return &TLSError{&smtp.Error{Reply: r}}
	}
	if c.in.buffered() {
		c.broken = ErrInjected
		return &TLSError{ErrInjected}
	}
	if err := c.handshake(ctx); err != nil {
		return err
	}
	err = c.hello(ctx)
	if _, refused := errors.AsType[*smtp.Error](err); err != nil && !refused {
		return &TLSError{err} // in TLS 1.3 a server that refuses the handshake is heard here
	}
	return err
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
