package deliver

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	// travels under TLS only, unless PlaintextAuth says otherwise. By MX it goes
	// to hosts alone whose names are beyond doubt and whose certificates were
	// verified, whatever else is said here; the message waits where there is none.
	// This holds for Login and the Dialer's Auth, too.
	Auth          func() sasl.Client
	PlaintextAuth bool

	// Login logs in on a new connection in place of Auth, where what is done
	// depends on what the server offers, such as with a login.Client. It decides
	// by itself what may travel without TLS. nil = Auth.
	Login func(ctx context.Context, c *smtpclient.Client) error

	// PlaintextRetry dials once more without TLS where STARTTLS was refused or a
	// handshake failed: opportunistic TLS (RFC 7435).
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

	// MaxHosts bounds how many hosts one attempt connects to; zero = 5.
	MaxHosts int

	route    func(ctx context.Context, from Source) iter.Seq2[target, error] // in place of Hosts
	sessions int                                                             // hosts that are asked to take a message; zero = 1
	source   func(m *smtp.Mail) Source                                       // nil = the system decides
	limits   *HostLimits                                                     // nil = none
}

// Begin implements smtp.Receiver.
func (r *Relay) Begin(_ context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	t := &remoteTransaction{r: r, env: smtp.Envelope{Mail: m}}
	if r.source != nil {
		t.from = r.source(m)
	}
	return t, nil
}

type remoteTransaction struct {
	r        *Relay
	env      smtp.Envelope
	from     Source
	statuses []smtp.RcptStatus // by their place in env
	noTLS    *bool             // whether the message says "TLS-Required: No"; nil = not looked for
}

// connection is one of the Pool, or a new one.
type connection struct {
	*smtpclient.Client
	key  smtpclient.Key
	done func() // gives back its turn at the host
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
	err := t.attempt(ctx, w, b)
	if _, ok := errors.AsType[lack](err); ok && w.requireTLS && t.env.Mail.ReversePath.IsNull() {
		w.requireTLS = false // RFC 8689 §5: a bounce is not lost for it, also where another host is down
		err = t.attempt(ctx, w, b)
	}
	if err != nil {
		return nil, err
	}
	return t.statuses, nil
}

// attempt asks one host after the other to take the message, as long as
// recipients are deferred, up to the number of sessions. Its error means that
// none was asked; it is permanent where there is no way, or each host lacks what
// is demanded.
func (t *remoteTransaction) attempt(ctx context.Context, w demands, b *smtp.Body) error {
	open, sessions := t.everybody(), 0
	var tried tally
	asked := ""
	for to, err := range t.r.targets(ctx, t.from) {
		if tried.enough(t.r.MaxHosts) || ctx.Err() != nil {
			break
		}
		if err != nil {
			tried.pass(err)
			continue
		}
		if asked != "" && to.host.Name == asked { // by another address it would say the same
			continue
		}
		c, err := t.get(ctx, to, w, b)
		if err != nil {
			if tried.fail(hostError(to.addr, err)) {
				asked = to.host.Name
			}
			continue
		}
		sessions++
		asked = to.host.Name
		if open = t.session(ctx, w, to, c, open, b); len(open) == 0 || sessions >= max(t.r.sessions, 1) || !b.Rewind() {
			break
		}
	}
	if sessions > 0 {
		return nil
	}
	return tried.verdict(ctx)
}

// tally is what became of the hosts of one attempt.
type tally struct {
	errs    []error
	failed  int  // connections that failed
	lacking int  // hosts that do not meet the demands
	passed  int  // hosts passed over without a connection
	end     bool // not all were tried
}

// enough reports whether no other host is to be tried. Those that lack something
// are cheap, and another may have it.
func (y *tally) enough(limit int) bool {
	limit = or(limit, 5)
	y.end = y.failed >= limit || y.lacking >= 10*limit || y.passed >= 10*limit
	return y.end
}

func (y *tally) pass(err error) {
	y.passed++
	y.errs = append(y.errs, err)
}

// fail counts a target that was tried in vain, and reports whether another
// address of its host would say the same.
func (y *tally) fail(err error) bool {
	over := isA[passedOver](err)
	switch {
	case isA[lack](err):
		y.lacking++
	case over, isA[silence](err):
		y.passed++
	default:
		y.failed++
	}
	y.errs = append(y.errs, err)
	return over || errors.Is(err, errBusy)
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// verdict is why nobody was asked to take the message.
func (y *tally) verdict(ctx context.Context) error {
	err := errors.Join(y.errs...)
	last, isFinal := errors.AsType[final](err)
	if ctx.Err() != nil {
		return unreached(errors.Join(err, context.Cause(ctx)))
	}
	if first, ok := errors.AsType[lack](err); ok && !y.end && y.lacking == len(y.errs) { // all were asked
		return &smtp.Error{Reply: first.refusal.Reply, Err: err}
	}
	if isFinal && y.failed+y.lacking == 0 {
		return last.error
	}
	return unreached(err)
}

// everybody is the places of all recipients.
func (t *remoteTransaction) everybody() []int {
	t.statuses = make([]smtp.RcptStatus, len(t.env.Recipients))
	all := make([]int, len(t.env.Recipients))
	for i := range all {
		all[i] = i
	}
	return all
}

// session sends on a connection, and on as many others to the same host as the
// limits of the server ask for (RFC 9422). It returns the places of those who are
// deferred.
func (t *remoteTransaction) session(ctx context.Context, w demands, to target, c connection, places []int, b *smtp.Body) []int {
	if l := c.Capabilities().Limits; len(places) > 1 && (l.Mails > 0 || l.RcptDomains > 0) {
		t.sendOn(ctx, w, to, c, places, b)
	} else {
		t.send(ctx, c, places, b)
		t.r.release(ctx, c)
	}
	var deferred []int
	for _, i := range places {
		if err := t.statuses[i].Err; err != nil && !smtp.IsPermanent(err) && !errors.Is(err, queue.ErrOutcomeUnknown) {
			deferred = append(deferred, i)
		}
	}
	return deferred
}

// defers says the same of some recipients.
func (t *remoteTransaction) defers(places []int, err error) {
	for _, i := range places {
		t.statuses[i] = smtp.RcptStatus{Err: err}
	}
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

// sendOn sends over one connection after the other. Those left at the end keep
// their deferral.
func (t *remoteTransaction) sendOn(ctx context.Context, w demands, to target, c connection, places []int, b *smtp.Body) {
	if b.Stored() == nil {
		spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
		if err != nil {
			t.defers(places, err)
			t.r.release(ctx, c)
			return
		}
		defer spooled.Close()
		b = spooled.Body()
	}
	for {
		left := t.send(ctx, c, places, b)
		t.r.release(ctx, c)
		if len(left) == 0 || len(left) == len(places) || !b.Rewind() {
			return
		}
		places = left
		var err error
		if c, err = t.get(ctx, to, w, b); err != nil {
			return
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
	if full(r) {
		r.Outcome, r.Reply.Code, r.Reply.Enhanced.Class = smtpclient.Deferred, 452, min(r.Reply.Enhanced.Class, 4)
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

// full reports a 552 that is no refusal for good (RFC 5321 §4.5.3.1.10): too many
// recipients, or a mailbox that is full. Where the message is too large it is one:
// at MAIL, and where the enhanced code says so.
func full(r smtpclient.RcptResult) bool {
	tooLarge := r.Reply.Enhanced.Subject == 3 && r.Reply.Enhanced.Detail == 4
	return r.Reply.Code == 552 && !tooLarge && (r.Command == "RCPT" || r.Reply.Enhanced.Class != 0 && r.Command != "MAIL")
}

// get is a connection of the Pool, or a new one, that meets the demands.
func (t *remoteTransaction) get(ctx context.Context, to target, w demands, b *smtp.Body) (connection, error) {
	if err := t.prepare(ctx, to, &w, b); err != nil {
		return connection{}, err
	}
	var err error
	d := smtpclient.Dialer{}
	if t.r.Dialer != nil {
		d = *t.r.Dialer
	}
	if w.tlsNotMust {
		to.policy = nil // the rule is not tried: that proves nothing for it
	}
	d, wish := w.dialer(d, to.rule)
	if t.r.route != nil && t.r.logsIn() {
		if d, err = forLogin(d, to); err != nil {
			return connection{}, err
		}
	}
	key := to.key(&d, t.from, wish)
	if d, err = dialFrom(d, t.from, to); err != nil {
		return connection{}, err
	}
	c := connection{key: key, done: func() {}}
	if t.r.limits != nil {
		if c.done, err = t.r.limits.acquire(ctx, to.host.Name, t.from); err != nil {
			return connection{}, err
		}
	}
	retry := d.TLS == smtpclient.TLSIfOffered && (t.r.PlaintextRetry || w.tlsNotMust || to.rule != nil && to.rule.PlaintextRetry)
	dial := func(ctx context.Context) (*smtpclient.Client, error) { return t.reach(ctx, d, to, retry) }
	if t.r.Pool == nil {
		c.Client, err = dial(ctx)
	} else {
		c.Client, err = t.r.Pool.Get(ctx, key, dial)
	}
	if err != nil {
		c.done()
		return connection{}, w.refusal(err)
	}
	if err := w.met(c.Capabilities()); err != nil {
		t.r.release(ctx, c)
		return connection{}, err
	}
	return c, nil
}

// prepare finds out what the message and the target have to say about TLS.
func (t *remoteTransaction) prepare(ctx context.Context, to target, w *demands, b *smtp.Body) error {
	if w.requireTLS {
		if to.refusal != nil {
			return to.refusal
		}
		return t.r.vouched(ctx, to)
	}
	if !t.r.waives(to) {
		return to.refusal
	}
	if t.noTLS == nil {
		no, err := saysNoTLS(b)
		if err != nil {
			return err
		}
		t.noTLS = &no
	}
	if w.tlsNotMust = *t.noTLS; w.tlsNotMust {
		return nil
	}
	return to.refusal
}

// release gives a connection back, or ends it.
func (r *Relay) release(ctx context.Context, c connection) {
	defer c.done()
	switch {
	case r.Pool != nil:
		r.Pool.Put(c.key, c.Client)
	case c.Usable():
		c.Quit(ctx)
	default:
		c.Close()
	}
}

// reach dials a target, unless it is known not to answer.
func (t *remoteTransaction) reach(ctx context.Context, d smtpclient.Dialer, to target, retry bool) (*smtpclient.Client, error) {
	r, w := t.r, way{to.ip, t.from}
	known := r.limits != nil && to.ip.IsValid()
	if known {
		if err := r.limits.silent(w); err != nil {
			return nil, err
		}
	}
	c, err := r.dial(ctx, d, to, retry)
	switch {
	case !known, ctx.Err() != nil:
	case err == nil || tlsFailed(err):
		r.limits.answered(w)
	default:
		r.limits.failedNow(w, err)
	}
	return c, err
}

func (r *Relay) dial(ctx context.Context, d smtpclient.Dialer, to target, retry bool) (*smtpclient.Client, error) {
	c, err := d.Dial(ctx, "tcp", to.addr)
	to.observe(err)
	if err != nil && retry && tlsFailed(err) && ctx.Err() == nil {
		d.TLS = smtpclient.TLSNever
		c, err = d.Dial(ctx, "tcp", to.addr)
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
