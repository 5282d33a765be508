package pop3client

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/mailstead/mailstead/internal/clientconn"
)

// TLSMode says when a connection is encrypted.
type TLSMode uint8

// The TLS modes.
const (
	// TLSIfOffered: STLS when the server offers it. A failed handshake is an
	// error. Whether a password may travel without TLS is the Login's decision.
	TLSIfOffered TLSMode = iota

	// TLSRequired: STLS, and ErrTLSRequired where it is not offered.
	TLSRequired

	// TLSImplicit: TLS from the first octet, port 995 (RFC 8314 §3.2).
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

	// TLS says when the connection is encrypted.
	TLS TLSMode

	// TLSConfig is used for the handshake; nil = the zero one. A missing
	// ServerName is the host of the dialed address. Certificates are verified
	// unless the config says otherwise.
	TLSConfig *tls.Config

	// Login logs in once the connection is as TLS says; nil = the caller does,
	// with Client.Login, Client.UserPass or Client.APOP.
	Login Login

	// APOP is used where Login finds nothing to send, or is nil, and the server
	// offers it; nil = never. It rests on MD5 (RFC 6151), and who sits between
	// can find out the password: it is for servers that have nothing better.
	APOP *Password

	// UTF8 switches to UTF-8 where the server offers it (RFC 6856 §2), so that
	// headers arrive as they were sent.
	UTF8 bool

	// LooseEnd takes a line of one dot for the end of a body also where the line
	// before ends in a bare LF, as some servers that complete no last line need
	// it. A message can then be made so that its reader takes a part of it for
	// all. Without it such a body ends with a timeout. A server whose replies end
	// in a bare LF is read so in any case.
	LooseEnd bool

	// Timeouts bound each step.
	Timeouts Timeouts

	// MaxReplyLine bounds a line of a reply in octets; zero = 2048, of which RFC
	// 2449 §4 allows 512. Lines of messages have no bound.
	MaxReplyLine int

	// MaxMessages bounds the lines of one listing; zero = 1,000,000, negative =
	// none.
	MaxMessages int

	// MaxListing bounds one listing in octets; zero = 64 MiB, negative = none.
	MaxListing int64

	// MaxMessage bounds one message in octets; zero = 1 GiB, negative = none.
	// What the server announces counts for nothing.
	MaxMessage int64

	// Trace are hooks.
	Trace Trace
}

// Timeouts bound how long the server is waited for; zero = the value given,
// negative = none. Time that the caller takes between two reads of a body does
// not count.
type Timeouts struct {
	Connect  time.Duration // TCP connection, and a TLS handshake; 30 s
	Greeting time.Duration // the first line, to its end; 1 min
	Command  time.Duration // each reply line, to its end; 3 min
	Block    time.Duration // each 64 KiB of a message or listing, or its rest; 3 min
	Quit     time.Duration // the reply to QUIT, before which the server deletes; 10 min
}

func (t Timeouts) withDefaults() Timeouts {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&t.Connect, 30 * time.Second},
		{&t.Greeting, time.Minute},
		{&t.Command, 3 * time.Minute},
		{&t.Block, 3 * time.Minute},
		{&t.Quit, 10 * time.Minute},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return t
}

// limits are the bounds of a Dialer with its defaults; math.MaxInt64 = none.
type limits struct {
	replyLine int
	messages  int64
	listing   int64
	message   int64
}

func (d *Dialer) limits() limits {
	return limits{
		replyLine: int(orDefault(int64(max(0, d.MaxReplyLine)), 2048)),
		messages:  orDefault(int64(d.MaxMessages), 1_000_000),
		listing:   orDefault(d.MaxListing, 64<<20),
		message:   orDefault(d.MaxMessage, 1<<30),
	}
}

// Dial connects to addr ("host:port"), reads the greeting, asks for the
// capabilities, starts TLS as d.TLS says and logs in. The ctx bounds all of it.
// A refusal by the server is an *Error with its reply.
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
