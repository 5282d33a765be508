package smtpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/internal/smtpinput"
	"github.com/mailstead/mailstead/smtp"
)

// Config says what a Server does. Only Receiver is required: the zero value of
// everything else is safe.
type Config struct {
	// Receiver takes the mail. A wrapper of it sees each transaction.
	Receiver smtp.Receiver

	// Hostname is the name in the greeting and in the reply to EHLO; "" =
	// os.Hostname, or "localhost".
	Hostname string

	// Extensions are those that Receiver supports; zero = DefaultExtensions.
	// STARTTLS and AUTH follow from TLSConfig and Auth.
	Extensions Extensions

	// Parameters are keywords of further MAIL and RCPT parameters that
	// Receiver understands; they arrive in Unknown. Others are refused with 555.
	Parameters []string

	// Keywords are further lines of the reply to EHLO and LHLO, for extensions
	// that are done by Parameters, Commands or the Receiver; nil = none. One
	// that is no ehlo-line (RFC 5321 §4.1.1.1) is left out. It must not block.
	Keywords func(*smtp.Peer) []string

	// Commands are further verbs. Names that this package knows are refused.
	Commands []Command

	// Priority decides the priority of a message under MTPRIORITY: level is
	// what MAIL asked for, 0 where it did not. An error refuses MAIL; RFC 6710
	// §4.1 asks for 450 or 550 with X.7.15. nil = only who has authenticated
	// may have a positive one. It may block.
	Priority func(ctx context.Context, p *smtp.Peer, level int) (int, error)

	// PriorityProfile is the name behind MT-PRIORITY in the reply to EHLO
	// (RFC 6710 §9.2); "" = not told.
	PriorityProfile string

	// Connect may refuse a connection before the greeting; nil = none is
	// refused. It may block for Limits.Greeting.
	Connect func(context.Context, *smtp.Peer) error

	// Hello may refuse HELO, EHLO and LHLO; Peer.Hello is set. nil = none is
	// refused. It may block.
	Hello func(context.Context, *smtp.Peer) error

	// Pause says how long the peer has to wait: before the greeting (verb ""),
	// and before each command, by its verb in upper case ("?" = none that is
	// known). Who speaks in the wait before the greeting is refused with 554
	// and a close. RCPT lines that arrive together wait once. A wait is at
	// most Limits.Command; zero = none. Replies that are due leave first. nil
	// = nobody waits. It must not block.
	Pause func(p *smtp.Peer, verb string) time.Duration

	// Closed is called once at the end of each connection that came as far as
	// Connect, also when that refused it; nil = off. A connection whose peer
	// speaks for another with XCLIENT ends for the one and comes to Connect for
	// the other. It must not block.
	Closed func(p *smtp.Peer)

	// Admit is asked at MAIL, with the size that was declared (0 = not), about
	// free space, octets in flight or queue length. An error without a Reply
	// leaves as 452 4.3.1. nil = everything is admitted. It may block.
	Admit func(ctx context.Context, size int64) error

	// Verify answers VRFY; nil = 252, which tells nothing. It may block.
	Verify func(ctx context.Context, p *smtp.Peer, arg string) smtp.Reply

	// TLSConfig switches STARTTLS on; nil = no TLS.
	TLSConfig *tls.Config

	// ImplicitTLS starts every connection with a TLS handshake (RFC 8314 §3).
	ImplicitTLS bool

	// RequireTLS refuses mail and AUTH without TLS (530, RFC 3207 §4).
	RequireTLS bool

	// Auth switches AUTH on (RFC 4954); nil = off. An error of its exchanges
	// that is a *smtp.Error chooses the reply.
	Auth authn.Authenticator

	// RequireAuth refuses MAIL without AUTH (530).
	RequireAuth bool

	// AllowPlaintextAuth offers mechanisms that show a password also without
	// TLS. For tests and for connections that are protected otherwise.
	AllowPlaintextAuth bool

	// LMTP speaks LMTP (RFC 2033) instead of SMTP.
	LMTP bool

	// Newlines says what becomes of a body with a bare CR or LF.
	Newlines NewlinePolicy

	// StrictPipelining refuses, with 554 and a close, input that arrives in
	// one flight behind EHLO, HELO, LHLO or DATA, which RFC 2920 §3.1 forbids
	// and which is the mark of bulk mailers. Behind STARTTLS it is always
	// refused.
	StrictPipelining bool

	// Limits bound what a peer may take.
	Limits Limits

	// TrustedPrefixes are exempt from Limits.PerAddress, as loopback is.
	TrustedPrefixes []netip.Prefix

	// Proxies are the peers that may speak for others, where Extensions names
	// how: from them every connection has to start with a header of the PROXY
	// protocol, and they may use XCLIENT and XFORWARD. It is the address that
	// a PROXY header gave that counts for XCLIENT and XFORWARD.
	Proxies []netip.Prefix

	// Logger gets the reasons that peers are not told; nil = slog.Default().
	Logger *slog.Logger

	// Trace sees each command line (client is true) and each flight of
	// replies, without secrets; nil = off. It must not block or keep text.
	Trace func(p *smtp.Peer, client bool, text []byte)
}

// NewlinePolicy says what becomes of a body that holds a CR or LF alone
// (RFC 5321 §2.3.8). Whatever it is, only CRLF "." CRLF ends DATA.
type NewlinePolicy uint8

// The policies.
const (
	// RejectNewlines refuses the message, also one with NUL, with 550 5.6.0
	// after its true end. For MX ports. BODY=BINARYMIME is exempt.
	RejectNewlines NewlinePolicy = iota

	// NormaliseNewlines makes a CRLF of each. For submission.
	NormaliseNewlines

	// PreserveNewlines passes the octets on.
	PreserveNewlines
)

// Limits bound what a peer may take. Zero = the default given, negative = none.
type Limits struct {
	Line       int   // octets of a command line; 2048 (RFC 5321 §4.5.3.1.4 asks for 512)
	AuthLine   int   // octets of a line of AUTH; 12288 (RFC 4954 §4)
	Recipients int   // accepted in a transaction; 1000
	Message    int64 // octets of a body; 35 MiB
	Mails      int   // MAIL commands of a connection, the refused ones too; none
	Domains    int   // domains of the recipients of a connection; none

	SoftErrors   int           // refused commands before each further one waits; 10
	ErrorDelay   time.Duration // that wait; 1 s
	Errors       int           // the refused command that ends the session with 421; 20
	AuthFailures int           // the failed AUTH that ends the session with 421; 3

	Connections int // at once; 1000
	PerAddress  int // at once from an IPv4 /32 or IPv6 /64; 30

	Greeting     time.Duration // for Connect, before the greeting; 5 s
	TLSHandshake time.Duration // 30 s
	Command      time.Duration // for a command line to arrive, and for replies to be taken; 5 min (RFC 5321 §4.5.3.2.7)
	Progress     time.Duration // in which a body has to make DataRate on average; 3 min
	DataRate     int64         // octets per second; 500
	Transaction  time.Duration // from MAIL to the end of the body; 30 min

	Hold      time.Duration // how far ahead HOLDFOR and HOLDUNTIL may reach; 7 days
	DeliverBy time.Duration // the least BY= that asks for a return; none
}

// unlimited stands for "none".
const unlimited = 1 << 40

func limit[T int | int64 | time.Duration](field *T, def T) {
	switch {
	case *field == 0:
		*field = def
	case *field < 0:
		*field = T(int64(unlimited) << 20)
	}
}

func (l Limits) withDefaults() Limits {
	limit(&l.Line, 2048)
	limit(&l.AuthLine, 12288)
	limit(&l.Recipients, 1000)
	limit(&l.Message, 35<<20)
	limit(&l.SoftErrors, 10)
	limit(&l.ErrorDelay, time.Second)
	limit(&l.Errors, 20)
	limit(&l.AuthFailures, 3)
	limit(&l.Connections, 1000)
	limit(&l.PerAddress, 30)
	limit(&l.Greeting, 5*time.Second)
	limit(&l.TLSHandshake, 30*time.Second)
	limit(&l.Command, 5*time.Minute)
	limit(&l.Progress, 3*time.Minute)
	limit(&l.Transaction, 30*time.Minute)
	limit(&l.Hold, 7*24*time.Hour)
	limit(&l.Mails, unlimited)
	limit(&l.Domains, unlimited)
	switch {
	case l.DataRate == 0:
		l.DataRate = 500
	case l.DataRate < 0:
		l.DataRate = 0
	}
	// A line has to fit into the buffer of a connection.
	l.Line, l.AuthLine = min(l.Line, smtpinput.Size-1), min(l.AuthLine, smtpinput.Size-1)
	return l
}

// Validate lists everything that is wrong with the Config.
func (c *Config) Validate() error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("smtpserver: "+format, args...))
		}
	}
	fault(c.Receiver == nil, "Receiver is missing")
	fault(c.ImplicitTLS && c.TLSConfig == nil, "ImplicitTLS needs TLSConfig")
	fault(c.RequireTLS && c.TLSConfig == nil, "RequireTLS needs TLSConfig")
	fault(c.RequireAuth && c.Auth == nil, "RequireAuth needs Auth")
	fault(c.Newlines > PreserveNewlines, "unknown NewlinePolicy %d", c.Newlines)
	fault(c.Extensions&BINARYMIME != 0 && c.Extensions&CHUNKING == 0, "BINARYMIME needs CHUNKING (RFC 3030 §3)")
	fault(c.Extensions&SMTPUTF8 != 0 && c.Extensions&EightBitMIME == 0, "SMTPUTF8 needs 8BITMIME (RFC 6531 §3.1)")
	fault(c.Extensions&(PROXY|XCLIENT|XFORWARD) != 0 && len(c.Proxies) == 0, "PROXY, XCLIENT and XFORWARD need Proxies")
	fault(len(c.PriorityProfile) > 20 || strings.Trim(c.PriorityProfile, profileChars) != "", "PriorityProfile %q (RFC 6710 §7)", c.PriorityProfile)
	for _, cmd := range c.Commands {
		fault(!cmd.valid(), "Command %q", cmd.Verb)
	}
	for _, r := range c.Hostname {
		fault(r <= ' ' || r >= 0x7f, "Hostname %q is no host name", c.Hostname)
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.Extensions == 0 {
		c.Extensions = DefaultExtensions
	}
	if c.Hostname == "" {
		c.Hostname = "localhost"
		if name, err := os.Hostname(); err == nil && name != "" {
			c.Hostname = name
		}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Parameters = slices.Clone(c.Parameters)
	for i, k := range c.Parameters {
		c.Parameters[i] = strings.ToUpper(k)
	}
	c.Limits = c.Limits.withDefaults()
	return c
}
