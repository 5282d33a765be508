package smtpclient

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/clientconn"
)

// TLSMode says when a connection is encrypted.
type TLSMode uint8

// The TLS modes.
const (
	// TLSIfOffered: STARTTLS when the server offers it. A failed handshake is
	// an error; the caller decides whether to dial again without TLS.
	TLSIfOffered TLSMode = iota

	// TLSRequired: STARTTLS, and an error where it is not offered.
	TLSRequired

	// TLSImplicit: TLS from the first octet (RFC 8314 §3.3).
	TLSImplicit

	// TLSNever: no TLS.
	TLSNever
)

// ContextDialer is how connections are made; *net.Dialer is one.
type ContextDialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Dialer holds what is the same for many connections. The zero value is
// usable. It may be used by many goroutines and must not be changed meanwhile.
type Dialer struct {
	// Net makes the connections; nil = a net.Dialer.
	Net ContextDialer

	// Hello is the name that EHLO or LHLO gives: the host's full name, sent in
	// A-labels, or an address literal. "" = os.Hostname, or "localhost".
	Hello string

	// LMTP speaks LMTP (RFC 2033) instead of SMTP.
	LMTP bool

	// TLS says when the connection is encrypted.
	TLS TLSMode

	// TLSConfig is used for the handshake; nil = the zero one. A missing
	// ServerName is the host of the dialed address. Certificates are verified
	// unless the config says otherwise (which opportunistic TLS to an MX does).
	TLSConfig *tls.Config

	// Auth authenticates once the connection is as TLS says; nil = nobody is
	// authenticated.
	Auth Authenticator

	// Timeouts bound each step.
	Timeouts Timeouts

	// MaxReplyLines bounds the lines of one reply; zero = 256.
	MaxReplyLines int

	// MaxReplyLine bounds one line in octets; zero = 2048, of which RFC 5321
	// §4.5.3.1.5 allows 512.
	MaxReplyLine int
}

// Timeouts are those of RFC 5321 §4.5.3.2; zero = the value given, which is
// the RFC's, negative = none.
type Timeouts struct {
	Connect  time.Duration // TCP connection, and a TLS handshake; 30 s
	Greeting time.Duration // the 220; 5 min (§4.5.3.2.1)
	Command  time.Duration // MAIL, RCPT and others; 5 min (§4.5.3.2.2, §4.5.3.2.3)
	DataInit time.Duration // the 354; 2 min (§4.5.3.2.4)
	Block    time.Duration // progress of each block of the body; 3 min (§4.5.3.2.5)
	DataEnd  time.Duration // the reply to the final dot; 10 min (§4.5.3.2.6)
}

func (t Timeouts) withDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Connect, 30 * time.Second},
		{&t.Greeting, 5 * time.Minute},
		{&t.Command, 5 * time.Minute},
		{&t.DataInit, 2 * time.Minute},
		{&t.Block, 3 * time.Minute},
		{&t.DataEnd, 10 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// Dial connects to addr ("host:port"), reads the greeting, says hello, starts
// TLS as d.TLS says and authenticates. The ctx bounds all of it. A refusal by
// the server is a *smtp.Error with its reply.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (*Client, error) {
	conn, host, err := clientconn.Dial(ctx, d.Net, network, addr, d.Timeouts.withDefaults().Connect)
	if err != nil {
		return nil, err
	}
	return d.NewClient(ctx, conn, host)
}

// NewClient starts a session on a connection that exists. host is the name
// that the server's certificate has to be for. The Client owns conn, also
// when an error is returned.
func (d *Dialer) NewClient(ctx context.Context, conn net.Conn, host string) (*Client, error) {
	c := newClient(d, conn, host)
	if err := c.start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (d *Dialer) hello() (string, error) {
	name := d.Hello
	if name == "" {
		name, _ = os.Hostname()
	}
	if name == "" {
		name = "localhost"
	}
	if strings.ContainsAny(name, " \r\n\x00") {
		return "", ErrCommand
	}
	return asciiDomain(name)
}
