package imapclient

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/clientconn"
	"github.com/mailstead/mailstead/internal/imapconn"
)

// TLSMode says when a connection is encrypted.
type TLSMode uint8

// The TLS modes.
const (
	// TLSImplicit: TLS from the first octet (RFC 8314 §3.2).
	TLSImplicit TLSMode = iota

	// TLSRequired: STARTTLS, and an error where it is not offered.
	TLSRequired

	// TLSIfOffered: STARTTLS when the server offers it. A failed handshake is an
	// error.
	TLSIfOffered

	// TLSNever: no TLS.
	TLSNever
)

// ContextDialer is how connections are made; *net.Dialer is one.
type ContextDialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Authenticator logs in. login.Client is one. It chooses from the mechanisms
// offered (upper case, in the server's order) and runs one exchange or several.
// state is nil without TLS; whether a password may travel then is its decision.
//
// A server that takes the LOGIN command is offered to it as PLAIN, behind all
// mechanisms (RFC 9051 §6.2.3).
type Authenticator interface {
	Login(ctx context.Context, offered []string, state *tls.ConnectionState, exchange func(context.Context, sasl.Client) error) error
}

// Dialer holds what is the same for many connections. The zero value is usable:
// implicit TLS, nobody logged in. It may be used by many goroutines and must not
// be changed meanwhile.
type Dialer struct {
	// Net makes the connections; nil = a net.Dialer.
	Net ContextDialer

	// TLS says when the connection is encrypted.
	TLS TLSMode

	// TLSConfig is used for the handshake; nil = the zero one. A missing
	// ServerName is the host of the dialed address.
	TLSConfig *tls.Config

	// Auth logs in once the connection is as TLS says; nil = nobody, unless the
	// server greets with PREAUTH.
	Auth Authenticator

	// ID is told to a server that offers ID, behind the login (RFC 2971 §3.1):
	// "name", "version". Some servers refuse commands of clients that tell none.
	// Empty = nothing is told.
	ID map[string]string

	// Enable is what is switched on behind the login (RFC 5161), as far as the
	// server offers it: imap.CapCondStore, imap.CapQResync, imap.CapUTF8Accept,
	// imap.CapIMAP4rev2.
	Enable []imap.Capability

	// Compress compresses the connection where that is offered (RFC 4978).
	Compress bool

	// Handler hears of what the server says unasked.
	Handler Handler

	// Timeouts bound each step, Limits what a server sends.
	Timeouts Timeouts
	Limits   Limits

	// Trace is shown each line of the dialogue, with its CRLF, in the order in
	// which it passes: sent = by this side. Octets of literals are replaced by
	// their number and what authenticates by "***". The line is not kept. It must
	// not block. nil = nobody looks.
	Trace func(sent bool, line []byte)
}

// Timeouts bound how long one step may take; zero = the value given, negative =
// none. The context of a call bounds all of it.
type Timeouts struct {
	Connect  time.Duration // TCP connection, and a TLS handshake; 30 s
	Greeting time.Duration // the first response; 1 min
	Command  time.Duration // a whole response, from the one before it; 3 min
	Block    time.Duration // progress within the text of a message, either way; 1 min
	Long     time.Duration // as Command, of SEARCH, SORT, THREAD, SELECT, COPY, MOVE, EXPUNGE and the end of APPEND; 15 min
	Idle     time.Duration // how long one IDLE lasts; 29 min (RFC 2177 §3)
}

// Limits bound what a server can make this side keep or read; zero = the value
// given, negative = none. Texts of messages are not limited: they stream.
type Limits struct {
	Line     int   // octets of a response before the login; 64 KiB
	Response int   // octets of a response, texts of messages not counted; 16 MiB
	Literal  int64 // octets of a literal that is kept in memory; 1 MiB
	Untagged int   // responses to one command that it did not ask for; 100,000
	List     int   // entries of one result in memory: LIST, ACL, METADATA; 100,000
	Ranges   int   // ranges of a set of numbers; 1,000,000
	Caps     int   // capabilities; 500
	Discard  int64 // octets of a result that the caller did not want, read to go on; 16 MiB
	Pipeline int   // commands that are on their way at once; 32
}

// Handler hears of what a server says unasked, while any method of the Client
// runs, on its goroutine and in the order in which it came. A function must not
// use the Client (ErrBusy) and must not block. Nil ones are left out.
type Handler struct {
	Exists  func(n uint32)   // messages in the mailbox (RFC 9051 §7.4.1)
	Recent  func(n uint32)   // RFC 3501 §7.3.2
	Expunge func(seq uint32) // the message with this number is gone, those behind it move up (RFC 9051 §7.5.1)

	// Vanished: these are gone (RFC 7162 §3.2.10). earlier: since the state that
	// the client had named, and sequence numbers do not move.
	Vanished func(uids imap.UIDSet, earlier bool)

	// Fetch tells of a change of flags, or of what else no command has asked for.
	// The message has no sections, and is valid during the call.
	Fetch func(m *Message)

	Flags   func(f imap.FlagList)       // FLAGS of the mailbox
	Mailbox func(e *imap.ListEntry)     // LIST (RFC 5465 §5.4)
	Status  func(s *imap.MailboxStatus) // STATUS of another mailbox (RFC 5465 §5.1)
	Search  func(u *imap.SearchUpdate)  // ESEARCH of a context (RFC 5267 §4.3)

	// Metadata tells of annotations that changed, "" = of the server (RFC 5464
	// §4.4.2); without it Unknown hears of them.
	Metadata func(mailbox string, entries []string)

	// Response hears of untagged OK, NO, BAD and BYE, and of the tagged responses
	// that carry ALERT, which people should see (RFC 9051 §7.1).
	Response func(r imap.StatusResponse)

	// Unknown hears of a response that this package does not know, whole and
	// without its CRLF.
	Unknown func(line []byte)
}

// Dial connects to addr ("host:port"), reads the greeting, starts TLS as d.TLS
// says, logs in, tells ID and enables what is wanted. The ctx bounds all of it.
// A refusal by the server is an *Error.
func (d *Dialer) Dial(ctx context.Context, network, addr string) (*Client, error) {
	conn, host, err := clientconn.Dial(ctx, d.Net, network, addr, imapconn.Timeouts(d.Timeouts).WithDefaults().Connect)
	if err != nil {
		return nil, err
	}
	return d.NewClient(ctx, conn, host)
}

// NewClient starts a session on a connection that exists. host is the name that
// the server's certificate has to be for. The Client owns conn, also when an
// error is returned.
func (d *Dialer) NewClient(ctx context.Context, conn net.Conn, host string) (*Client, error) {
	c := newClient(d, conn, host)
	if err := c.start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
