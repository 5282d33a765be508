package deliver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// Relay is a smtp.Receiver that hands mail to another server: the first of
// its hosts that can be reached. Hosts is required.
//
// A status without an error means that the server took responsibility. A
// connection lost behind the final dot is queue.ErrOutcomeUnknown.
type Relay struct {
	// Hosts returns the servers to try, "host:port", best first.
	Hosts func(ctx context.Context) ([]string, error)

	// Dialer connects; nil = the zero Dialer.
	Dialer *smtpclient.Dialer

	// Auth makes the client of one SASL exchange; nil = none. The password
	// travels under TLS only, unless PlaintextAuth says otherwise.
	Auth          func() sasl.Client
	PlaintextAuth bool

	// Login logs in on a new connection in place of Auth, where what is done
	// depends on what the server offers, such as with a login.Client. It decides
	// by itself what may travel without TLS. nil = Auth.
	Login func(ctx context.Context, c *smtpclient.Client) error

	// PlaintextRetry dials once more without TLS where a handshake failed:
	// opportunistic TLS (RFC 7435).
	PlaintextRetry bool

	// Vouch reports whether it is beyond doubt that the host of addr is where
	// the mail belongs: by DNSSEC, or by an MTA-STS policy. Only asked for
	// messages with REQUIRETLS (RFC 8689 §4.2.1), which go nowhere else. nil =
	// the hosts come from the operator, and are.
	Vouch func(ctx context.Context, addr string) (bool, error)

	// RecipientTLS says that the Dialer requires TLS because the recipient's
	// domain asks for it (DANE, MTA-STS), not the operator: a message with
	// "TLS-Required: No" goes without (RFC 8689 §4.2.2), unless somebody logs in.
	RecipientTLS bool

	// Pool keeps connections between messages; nil = each message has one of
	// its own. Relays that share a Pool must agree in Dialer and Auth.
	Pool *smtpclient.Pool

	// MaxHosts bounds how many hosts one attempt tries; zero = 5.
	MaxHosts int
}

// Begin implements smtp.Receiver.
func (r *Relay) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &remoteTransaction{r: r, env: smtp.Envelope{Mail: m}}, nil
}

type remoteTransaction struct {
	r        *Relay
	env      smtp.Envelope
	statuses []smtp.RcptStatus // by their place in env
}

// connection is one of the Pool, or a new one.
type connection struct {
	*smtpclient.Client
	key smtpclient.Key
}

// Rcpt accepts all: the server is asked in Data, in one flight.
func (t *remoteTransaction) Rcpt(_ context.Context, rs []*smtp.Recipient) []error {
	t.env.Recipients = append(t.env.Recipients, rs...)
	return make([]error, len(rs))
}

func (t *remoteTransaction) Abort() {}

// Data connects and sends.
func (t *remoteTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	w := demandsOf(t.env.Mail)
	if t.r.waives(w) {
		var err error
		if w.tlsNotMust, err = saysNoTLS(b); err != nil {
			return nil, err
		}
	}
	c, err := t.r.connect(ctx, w)
	if _, ok := errors.AsType[lack](err); ok && w.requireTLS && t.env.Mail.ReversePath.IsNull() {
		w.requireTLS = false // RFC 8689 §5: a bounce is not lost for it, also where another host is down
		c, err = t.r.connect(ctx, w)
	}
	if err != nil {
		return nil, err
	}
	t.statuses = make([]smtp.RcptStatus, len(t.env.Recipients))
	if l := c.Capabilities().Limits; len(t.statuses) > 1 && (l.Mails > 0 || l.RcptDomains > 0) {
		return t.statuses, t.sendOn(ctx, w, c, b)
	}
	defer t.r.release(ctx, c)
	t.send(ctx, c, t.everybody(), b)
	return t.statuses, nil
}

// everybody is the places of all recipients.
func (t *remoteTransaction) everybody() []int {
	all := make([]int, len(t.env.Recipients))
	for i := range all {
		all[i] = i
	}
	return all
}

// send sends to the recipients at these places, and returns those that need
// another connection (RFC 9422).
func (t *remoteTransaction) send(ctx context.Context, c connection, places []int, b *smtp.Body) (left []int) {
	env := smtp.Envelope{Mail: t.env.Mail}
	for _, i := range places {
		env.Recipients = append(env.Recipients, t.env.Recipients[i])
	}
	res, err := c.Send(ctx, &env, b)
	for n, r := range res.Recipients {
		i := places[n]
		t.statuses[i] = rcptStatus(r, err)
		t.statuses[i].Passed = passed(c.Capabilities())
		if errors.Is(r.Err, smtpclient.ErrMailLimit) || errors.Is(r.Err, smtpclient.ErrDomainLimit) {
			left = append(left, i)
		}
	}
	return left
}

// sendOn sends over as many connections as the limits of the server ask for.
func (t *remoteTransaction) sendOn(ctx context.Context, w demands, c connection, b *smtp.Body) error {
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		t.r.release(ctx, c)
		return err
	}
	defer spooled.Close()
	for places := t.everybody(); ; {
		left := t.send(ctx, c, places, spooled.Body())
		t.r.release(ctx, c)
		if len(left) == 0 || len(left) == len(places) {
			return nil
		}
		places = left
		if c, err = t.r.connect(ctx, w); err != nil {
			return nil // those left keep their deferral
		}
	}
}

// passed are the wishes that a host with these capabilities takes over.
func passed(c smtpclient.Capabilities) (w smtp.Wishes) {
	if c.DSN {
		w |= smtp.WishDSN
	}
	if c.DeliverBy {
		w |= smtp.WishDeliverBy
	}
	return w
}

// rcptStatus turns the client's outcome into a status; sendErr is why the
// connection ended.
func rcptStatus(r smtpclient.RcptResult, sendErr error) smtp.RcptStatus {
	cause := r.Err
	if cause == nil {
		cause = sendErr
	}
	switch r.Outcome {
	case smtpclient.Delivered:
		return smtp.RcptStatus{Text: r.QueueID}
	case smtpclient.Unknown:
		return smtp.RcptStatus{Err: fmt.Errorf("%w: %w", queue.ErrOutcomeUnknown, cause)}
	case smtpclient.Failed:
		reply := r.Reply
		if own, ok := errors.AsType[*smtp.Error](cause); ok && !reply.Permanent() {
			reply = own.Reply // refused on this side: an extension is missing, say
		}
		if !reply.Permanent() {
			reply = smtp.NewReply(554, smtp.EnhancedCode{Class: 5, Subject: 6, Detail: 3}, "The next hop cannot take this message")
		}
		return smtp.RcptStatus{Err: &smtp.Error{Reply: reply, Err: cause}}
	}
	reply := r.Reply
	if !reply.Temporary() {
		reply = smtp.NewReply(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 2}, "The connection to the next hop failed")
	}
	return smtp.RcptStatus{Err: &smtp.Error{Reply: reply, Err: cause}}
}

// connect tries the hosts in turn, up to one that meets the demands. A host that
// refuses the connection with a 5xx greeting is passed over like one that does
// not answer. The error is permanent where each host lacks what is demanded.
func (r *Relay) connect(ctx context.Context, w demands) (connection, error) {
	hosts, err := r.Hosts(ctx)
	if err != nil {
		return connection{}, err
	}
	limit := r.MaxHosts
	if limit == 0 {
		limit = 5
	}
	var failures []error
	lacking := 0
	for _, addr := range hosts {
		if len(failures)-lacking == limit || lacking == 10*limit || ctx.Err() != nil {
			break
		}
		c, err := r.get(ctx, addr, w)
		if err == nil {
			if err = w.met(c.Capabilities()); err == nil {
				return c, nil
			}
			r.release(ctx, c)
		}
		if _, ok := errors.AsType[lack](err); ok {
			lacking++
		}
		failures = append(failures, fmt.Errorf("%s: %w", addr, err))
	}
	err = errors.Join(failures...)
	if first, ok := errors.AsType[lack](err); ok && lacking == len(hosts) { // all were asked
		return connection{}, &smtp.Error{Reply: first.refusal.Reply, Err: err}
	}
	return connection{}, &smtp.Error{Reply: temporaryOf(err), Err: err}
}

// get is a connection of the Pool, or a new one.
func (r *Relay) get(ctx context.Context, addr string, w demands) (connection, error) {
	d := smtpclient.Dialer{}
	if r.Dialer != nil {
		d = *r.Dialer
	}
	key := smtpclient.Key{Addr: addr}
	if w.requireTLS {
		if err := r.vouched(ctx, addr); err != nil {
			return connection{}, err
		}
	}
	d, key.Policy = w.dialer(d)
	key.TLS = d.TLS
	retry := d.TLS == smtpclient.TLSIfOffered && (r.PlaintextRetry || w.tlsNotMust)
	dial := func(ctx context.Context) (*smtpclient.Client, error) { return r.dial(ctx, d, addr, retry) }
	if r.Pool == nil {
		c, err := dial(ctx)
		return connection{c, key}, w.refusal(err)
	}
	c, err := r.Pool.Get(ctx, key, dial)
	return connection{c, key}, w.refusal(err)
}

// release gives a connection back, or ends it.
func (r *Relay) release(ctx context.Context, c connection) {
	switch {
	case r.Pool != nil:
		r.Pool.Put(c.key, c.Client)
	case c.Usable():
		c.Quit(ctx)
	default:
		c.Close()
	}
}

// temporaryOf is the reply to show for hosts that could not be reached: never
// a permanent one, since another host or another day may do better.
func temporaryOf(err error) smtp.Reply {
	if e, ok := errors.AsType[*smtp.Error](err); ok && e.Reply.Temporary() {
		return e.Reply
	}
	return smtp.NewReply(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "No mail host of the destination answers")
}

func (r *Relay) dial(ctx context.Context, d smtpclient.Dialer, addr string, retry bool) (*smtpclient.Client, error) {
	c, err := d.Dial(ctx, "tcp", addr)
	if err != nil && retry && handshakeFailed(err) {
		d.TLS = smtpclient.TLSNever
		c, err = d.Dial(ctx, "tcp", addr)
	}
	if err != nil {
		return nil, err
	}
	if err := r.login(ctx, c); err != nil {
		c.Close()
		return nil, fmt.Errorf("authentication: %w", err)
	}
	return c, nil
}

// login says who we are, where we have anything to say.
func (r *Relay) login(ctx context.Context, c *smtpclient.Client) error {
	switch {
	case r.Login != nil:
		return r.Login(ctx, c)
	case r.Auth == nil:
		return nil
	case c.TLS() == nil && !r.PlaintextAuth:
		return smtpclient.ErrTLSRequired
	}
	return c.Auth(ctx, r.Auth())
}

// handshakeFailed tells a TLS failure from a connection that was never made.
func handshakeFailed(err error) bool {
	_, record := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, cert := errors.AsType[*tls.CertificateVerificationError](err)
	return record || alert || cert
}

// SmartHost is the NextHops that sends all foreign mail through one server.
type SmartHost struct {
	Addr string // "host:port"

	// Relay is how it is reached; its Hosts is ignored.
	Relay Relay
}

// Key implements NextHops.
func (s *SmartHost) Key(smtp.ForwardPath) string { return "relay:" + s.Addr }

// Receiver implements NextHops.
func (s *SmartHost) Receiver(string) (smtp.Receiver, string) {
	r := s.Relay
	r.Hosts = func(context.Context) ([]string, error) { return []string{s.Addr}, nil }
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		host = s.Addr
	}
	return &r, host
}
