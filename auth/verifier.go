package auth

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/arc"
	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dmarc"
	"github.com/mailstead/mailstead/auth/dnsbl"
	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/iprev"
	"github.com/mailstead/mailstead/auth/spf"
	"github.com/mailstead/mailstead/smtp"
)

// ErrHeaderTooLarge: the header is beyond the limit, so that nobody can say that
// it has one author.
var ErrHeaderTooLarge = errors.New("auth: header beyond the limit")

// Verifier judges messages. Its fields are set before the first use. Its methods
// may be called from any number of goroutines.
type Verifier struct {
	// Resolver is asked. nil = a stub for the servers of the system, with a
	// cache of this Verifier.
	Resolver dnsx.Resolver

	// Timeout bounds Finish. 0 = 5 s, negative = none.
	Timeout time.Duration

	// MaxQuestions is how many questions a message may cost; each method has its
	// share. 0 = 320; less than 64 count as 64.
	MaxQuestions int

	// Hostname is the receiver in explanations of SPF policies; "" = "unknown".
	Hostname string

	// MaxHeaderBytes bounds the header that is kept in memory; signatures of a
	// larger one are a permerror, and it has no author. 0 = 4 MiB.
	MaxHeaderBytes int

	// MaxSignatures is how many DKIM signatures are judged. 0 = 10.
	MaxSignatures int

	// DMARC is whose rules hold; zero = RFC 9989.
	DMARC dmarc.Mode
	// Suffixes is the list for dmarc.RFC7489; nil = that of x/net.
	Suffixes dmarc.SuffixList
	// Sample reports whether a message belongs to a percentage (pct of RFC
	// 7489). nil = at random.
	Sample func(percent int) bool

	// SeveralAuthors judges each author of a message with several, at most 4,
	// and takes the worst verdict (RFC 9989 §11.5). Without it, and beyond 4,
	// the verdict is a permerror.
	SeveralAuthors bool

	// Lists are DNS lists of clients that are asked; nil = none.
	Lists []dnsbl.List

	// Methods are further methods.
	Methods []Method

	// Now is the clock, for the times of signatures and in explanations of SPF
	// policies; nil = time.Now.
	Now func() time.Time

	once    sync.Once
	system  dnsx.Resolver
	running sync.WaitGroup
}

// Session is what is known of a client and its transaction.
type Session struct {
	// IP is the client's address. The invalid one means that there is none:
	// SPF and the client's name are not judged.
	IP netip.Addr
	// Name is a name of that address which somebody has confirmed, so that it is
	// not asked for again; "" = not known.
	Name string
	// Helo is what the client said in HELO or EHLO, MailFrom the reverse-path
	// without its brackets ("" is the null one). They are judged whatever octets
	// they have.
	Helo, MailFrom string
	// TLS is the state of the connection; nil = no TLS. It is for policies.
	TLS *tls.ConnectionState
	// UTF8: the header may have UTF-8 (SMTPUTF8).
	UTF8 bool
}

// SessionOf is the Session of a transaction.
func SessionOf(m *smtp.Mail) Session {
	s := Session{MailFrom: m.ReversePath.String(), UTF8: m.Params.UTF8}
	if p := m.Peer; p != nil {
		s.IP, s.Name, s.Helo, s.TLS = p.Addr.Addr().Unmap(), p.Name, p.Hello, p.TLS
	}
	return s
}

func (s *Session) query() spf.Query {
	return spf.Query{IP: s.IP, Sender: s.MailFrom, Helo: s.Helo}
}

// Verification judges one message, which is written to it. It belongs to one
// goroutine. Finish or Abort has to be called.
type Verification struct {
	v      *Verifier
	cancel context.CancelFunc
	ctx    context.Context // of the questions
	tasks  tasks
	shares shares
	result *Result

	message *dkim.Message
	dkim    *dkim.Verification
	arc     *arc.Verification
	methods []Evaluation
	authors []*dmarc.Discovery // in order; written by tasks
}

// Start begins with a message, at MAIL FROM: SPF is asked for at once. Questions
// end with ctx, too.
func (v *Verifier) Start(ctx context.Context, s Session) *Verification {
	m := &Verification{v: v, result: &Result{Session: s}}
	m.ctx, m.cancel = context.WithCancel(ctx)
	m.tasks.all = &v.running
	m.shares = newShares(v.resolver(), v.MaxQuestions)
	m.message = dkim.NewMessage(v.MaxHeaderBytes)
	m.message.OnHeader(m.askAuthor)
	m.dkim = (&dkim.Verifier{Resolver: m.shares.keys, MaxSignatures: v.MaxSignatures, MaxKeys: m.shares.signatureKeys, Timeout: -1, Now: v.Now}).Join(m.message)
	m.arc = (&arc.Verifier{Resolver: m.shares.chain, MaxKeys: m.shares.chainKeys, Timeout: -1, Now: v.Now}).Join(m.message)
	for _, method := range v.Methods {
		m.methods = append(m.methods, method.Start(Input{Session: s, Resolver: m.shares.methods, Message: m.message}))
	}
	if s.IP.IsValid() {
		m.askSender()
		m.askClient()
	}
	return m
}

// askSender judges whether the client may send for the sender. The null reverse-path is judged by the HELO name,
// which is then not judged again.
func (m *Verification) askSender() {
	r := m.result
	sender := &spf.Checker{Resolver: m.shares.sender, Timeout: -1, Hostname: m.v.Hostname, Now: m.v.Now}
	m.tasks.run(func() { r.SPF = sender.Check(m.ctx, r.Session.query()) })
	if r.Session.MailFrom != "" {
		helo := &spf.Checker{Resolver: m.shares.helo, Timeout: -1, Hostname: m.v.Hostname, Now: m.v.Now}
		m.tasks.run(func() { r.Helo = helo.CheckHelo(m.ctx, r.Session.query()) })
	}
}

// askClient judges the client alone.
func (m *Verification) askClient() {
	r := m.result
	if len(m.v.Lists) > 0 {
		lists := &dnsbl.Checker{Resolver: m.shares.lists, Lists: m.v.Lists}
		m.tasks.run(func() { r.Lists = lists.Check(m.ctx, r.Session.IP) })
	}
	if name := r.Session.Name; name != "" {
		r.IPRev = iprev.Verdict{Result: authres.Pass, IP: r.Session.IP, Name: name}
		return
	}
	name := &iprev.Checker{Resolver: m.shares.client}
	m.tasks.run(func() { r.IPRev = name.Check(m.ctx, r.Session.IP) })
}

// Write takes the next octets of the message. It never fails.
func (m *Verification) Write(p []byte) (int, error) {
	m.message.Write(p)
	for _, e := range m.methods {
		e.Write(p)
	}
	return len(p), nil
}

// maxAuthors is how many authors of one message are judged.
const maxAuthors = 4

// askAuthor looks for the policy of the author as soon as the header has ended.
func (m *Verification) askAuthor() {
	m.result.Header, _, _ = m.message.Header()
	var domains []string
	domains, m.result.AuthorErr = m.domains()
	checker := &dmarc.Checker{
		Resolver: m.shares.author, Mode: m.v.DMARC, Suffixes: m.v.Suffixes, Sample: m.v.Sample, Timeout: -1,
	}
	m.authors = make([]*dmarc.Discovery, len(domains))
	for i, domain := range domains {
		m.tasks.run(func() {
			m.authors[i] = checker.Discover(m.ctx, domain)
			m.authors[i].Prepare(m.ctx, m.sender())
		})
	}
}

// sender is the identifier of SPF as it may pass.
func (m *Verification) sender() dmarc.Identifier {
	s := &m.result.Session
	from := cmp.Or(s.MailFrom, s.Helo)
	return dmarc.Identifier{Method: dmarc.SPF, Domain: from[strings.LastIndexByte(from, '@')+1:]}
}

// domains are those of the authors that are judged, and why there is not one.
func (m *Verification) domains() ([]string, error) {
	header, _, whole := m.message.Header()
	if !whole {
		return nil, ErrHeaderTooLarge
	}
	domain, err := dmarc.AuthorDomain(header)
	if err == nil {
		return []string{domain}, nil
	}
	if !m.v.SeveralAuthors || !errors.Is(err, dmarc.ErrManyFrom) && !errors.Is(err, dmarc.ErrManyAuthors) {
		return nil, err
	}
	domains, _ := dmarc.AuthorDomains(header)
	if len(domains) > maxAuthors {
		return nil, err
	}
	return domains, err
}

// Finish ends the message and returns what came of it by the deadline of the
// Verifier, or of ctx. It is called once, and nothing is written after it.
func (m *Verification) Finish(ctx context.Context) *Result {
	defer m.cancel()
	m.message.End()
	last, answers := m.v.deadlines(ctx)
	defer last.end()
	defer answers.end()
	stop := context.AfterFunc(answers.ctx, m.cancel)
	r := m.result
	r.Methods = make([]Finding, len(m.methods))
	for i, e := range m.methods {
		m.tasks.run(func() { r.Methods[i] = e.Finish(answers.ctx) })
	}
	m.tasks.run(func() { r.ARC = m.arc.Finish(answers.ctx) })
	r.DKIM = *m.dkim.Finish(answers.ctx)
	m.tasks.wait()
	stop()
	m.evaluate(last.ctx)
	r.ARC.Remote = r.Session.IP
	r.Questions = m.shares.asked()
	r.weigh()
	return r
}

// evaluate is DMARC's verdict on what the others found.
func (m *Verification) evaluate(ctx context.Context) {
	r := m.result
	if len(m.authors) == 0 {
		r.DMARC = dmarc.Verdict{Result: dmarc.PermError, Err: r.AuthorErr}
		return
	}
	verdicts := make([]dmarc.Verdict, len(m.authors))
	ids := r.identifiers()
	for i, a := range m.authors {
		verdicts[i] = a.Evaluate(ctx, ids)
	}
	r.DMARC = dmarc.Worst(verdicts...)
	if len(verdicts) > 1 {
		r.Authors = verdicts
	}
}

// Abort gives the message up: its questions end. It does not wait, may be called
// more than once, and has no effect after Finish.
func (m *Verification) Abort() { m.cancel() }

// Wait returns when no question of any message is open. It is for the end of a
// program, when no message is started any more.
func (v *Verifier) Wait() { v.running.Wait() }

// Verify reads a whole message and judges it. The error is that of r.
func (v *Verifier) Verify(ctx context.Context, s Session, r io.Reader) (*Result, error) {
	m := v.Start(ctx, s)
	buf := make([]byte, 16<<10)
	if _, err := io.CopyBuffer(struct{ io.Writer }{m}, struct{ io.Reader }{r}, buf); err != nil {
		m.Abort()
		m.tasks.wait()
		return nil, err
	}
	return m.Finish(ctx), nil
}

// resolver is Resolver, or one of the system.
func (v *Verifier) resolver() dnsx.Resolver {
	if v.Resolver != nil {
		return v.Resolver
	}
	v.once.Do(func() { v.system = &dnsx.Cache{Resolver: &dnsx.Client{}} })
	return v.system
}

// until is a context with its end.
type until struct {
	ctx context.Context
	end context.CancelFunc
}

// deadlines are those of Finish, and of the answers that are not the last ones.
func (v *Verifier) deadlines(ctx context.Context) (last, answers until) {
	timeout := cmp.Or(v.Timeout, 5*time.Second)
	if timeout < 0 {
		last.ctx, last.end = context.WithCancel(ctx)
		answers.ctx, answers.end = context.WithCancel(ctx)
		return last, answers
	}
	last.ctx, last.end = context.WithTimeout(ctx, timeout)
	answers.ctx, answers.end = context.WithTimeout(ctx, timeout-timeout/5)
	return last, answers
}
