package gosmtp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"

	gosmtp "github.com/emersion/go-smtp"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// NewServer returns a server that does what s would do: its backend and its
// options. s itself is not started. Without a Backend it is an error.
func NewServer(s *gosmtp.Server) (*smtpserver.Server, error) {
	cfg, err := Config(s)
	if err != nil {
		return nil, err
	}
	return smtpserver.New(cfg), nil
}

// Config is the smtpserver.Config of NewServer. Connect, Hello, Closed, Receiver
// and Auth belong together: smtppolicy.AllOf and Each join others to the hooks,
// and smtp.Chain wraps the Receiver. ListenAndServeTLS is ImplicitTLS.
func Config(s *gosmtp.Server) (smtpserver.Config, error) {
	if s.Backend == nil {
		return smtpserver.Config{}, errors.New("gosmtp: Backend is missing")
	}
	a := &adapter{server: s}
	cfg := smtpserver.Config{
		Hostname: s.Domain, TLSConfig: s.TLSConfig, LMTP: s.LMTP, AllowPlaintextAuth: s.AllowInsecureAuth,
		Extensions: extensions(s),
		Receiver:   a, Auth: a, Connect: a.connect, Hello: a.hello, Closed: a.closed,
		// go-smtp hands bodies on as they come.
		Newlines: smtpserver.PreserveNewlines,
	}
	cfg.Parameters, cfg.Keywords = parameters(s)
	if s.EnableMTPRIORITY { // the backend judges what was asked for
		cfg.Priority = func(_ context.Context, _ *smtp.Peer, level int) (int, error) { return level, nil }
	}
	cfg.Limits.DeliverBy = s.MinimumDeliverByTime
	cfg.Limits.Recipients = s.MaxRecipients
	cfg.Limits.Message = s.MaxMessageBytes
	cfg.Limits.Line = s.MaxLineLength
	cfg.Limits.Command = s.ReadTimeout
	if s.ErrorLog != nil {
		cfg.Logger = slog.New(slog.NewTextHandler(lines{s.ErrorLog}, nil))
	}
	if s.Debug != nil {
		cfg.Trace = traceTo(s.Debug)
	}
	return cfg, nil
}

func extensions(s *gosmtp.Server) smtpserver.Extensions {
	ext := smtpserver.DefaultExtensions
	for _, o := range []struct {
		on  bool
		ext smtpserver.Extensions
	}{
		{s.EnableSMTPUTF8, smtpserver.SMTPUTF8},
		{s.EnableREQUIRETLS, smtpserver.REQUIRETLS},
		{s.EnableBINARYMIME, smtpserver.BINARYMIME},
		{s.EnableDSN, smtpserver.DSN},
		{s.EnableDELIVERBY, smtpserver.DELIVERBY},
		{s.EnableMTPRIORITY, smtpserver.MTPRIORITY},
	} {
		if o.on {
			ext |= o.ext
		}
	}
	return ext
}

// parameters are those of RCPT that smtpserver knows nothing of, and the
// keywords that announce them.
func parameters(s *gosmtp.Server) (params []string, keywords func(*smtp.Peer) []string) {
	if s.EnableDELIVERBY {
		params = append(params, paramBy)
	}
	if s.EnableMTPRIORITY {
		params = append(params, paramPriority)
	}
	if s.EnableRRVS {
		params = append(params, paramRRVS)
		keywords = func(*smtp.Peer) []string { return []string{"RRVS"} }
	}
	return params, keywords
}

// lines gives lines of a log to a go-smtp Logger.
type lines struct{ log gosmtp.Logger }

func (l lines) Write(p []byte) (int, error) {
	l.log.Println(strings.TrimRight(string(p), "\n"))
	return len(p), nil
}

// traceTo writes dialogues as Server.Debug gets them, but without secrets and
// bodies.
func traceTo(w io.Writer) func(*smtp.Peer, bool, []byte) {
	return func(_ *smtp.Peer, client bool, text []byte) {
		if client {
			text = append(append([]byte(nil), text...), "\r\n"...)
		}
		w.Write(text)
	}
}

// PeerOf is what smtpserver knew of the peer behind c when NewSession was called:
// addresses, TLS state; nil for a Conn that this package did not make.
func PeerOf(c *gosmtp.Conn) *smtp.Peer {
	if l, ok := c.Conn().(*line); ok {
		return l.peer
	}
	return nil
}

// errClosedByBackend ends a session whose Conn the backend closed.
func errClosedByBackend() error {
	return smtp.Errorf(421, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 5}, "Too busy, try again later")
}

// adapter is a go-smtp backend as smtpserver sees it.
type adapter struct{ server *gosmtp.Server }

type holderKey struct{ a *adapter }

// holder is a connection's session; nil = none. Only the goroutine of the
// connection uses it.
type holder struct{ session *session }

// connect gives the connection a place for its session, which every later Peer
// of it shares.
func (a *adapter) connect(_ context.Context, p *smtp.Peer) error {
	p.SetValue(holderKey{a}, &holder{})
	return nil
}

// sessionOf is the session of a connection; nil = none.
func (a *adapter) sessionOf(p *smtp.Peer) *session {
	if h, _ := p.Value(holderKey{a}).(*holder); h != nil {
		return h.session
	}
	return nil
}

// hello makes the session at the first EHLO, and anew after STARTTLS; a later
// EHLO resets it (RFC 5321 §4.1.4).
func (a *adapter) hello(_ context.Context, p *smtp.Peer) error {
	h, _ := p.Value(holderKey{a}).(*holder)
	if h == nil {
		return errNoSession
	}
	if s := h.session; s != nil && s.secure == (p.TLS != nil) {
		s.Reset()
		return s.alive()
	}
	a.closed(p)
	s, err := openSession(a.server, p)
	if err != nil {
		return refusal(err)
	}
	h.session = s
	return s.alive()
}

// closed ends the session.
func (a *adapter) closed(p *smtp.Peer) {
	if h, _ := p.Value(holderKey{a}).(*holder); h != nil && h.session != nil {
		h.session.close()
		h.session = nil
	}
}
