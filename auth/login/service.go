package login

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// Service judges attempts to log in against a Backend. Its fields are set
// before the first use and not changed later; apart from Backend their zero
// values are the defaults. A Service is not copied after first use.
type Service struct {
	// Backend knows the users. Required.
	Backend Backend
	// Guard slows down guessing. Nil means a Throttle with its defaults;
	// Unguarded turns it off.
	Guard Guard
	// Params are what an unknown user costs: those that the stored hashes are
	// made with. Parameters out of bounds count as the defaults (see Validate).
	Params Params
	// MaxConcurrentHashes is how many password hashes run at once, each with
	// the memory of its parameters. Zero means one per CPU, negative no limit.
	MaxConcurrentHashes int
	// QueueTimeout is how long an attempt waits for its turn to hash before it
	// fails with ErrTemporary. Zero means 5 s, negative until its context ends.
	QueueTimeout time.Duration
	// CacheTTL is how long a success is remembered, so that a client that
	// connects again costs no hash. Zero means 5 min, negative turns it off.
	// Only a keyed digest is kept, of at most 16384 successes.
	CacheTTL time.Duration
	// AllowPlaintext accepts passwords over connections without TLS.
	AllowPlaintext bool
	// Enable names mechanisms to offer that are off by themselves: LOGIN,
	// CRAM-MD5, SCRAM-SHA-1 and APOP, and SCRAM-SHA-256 and SCRAM-SHA-512 where the
	// backend is no Keeper. The -PLUS variants follow.
	Enable []string
	// Disable names mechanisms that are not offered in any case. A name without
	// -PLUS means both.
	Disable []string
	// Tokens judges the tokens of OAUTHBEARER and XOAUTH2. Nil turns both off.
	Tokens TokenVerifier
	// TokenUser maps a verified token to a user name. Nil takes the token's.
	// ErrRejected, ErrNoUser: it is nobody here; any other error is a temporary
	// failure. May block.
	TokenUser func(ctx context.Context, t Token) (username string, err error)
	// TokenScope and OpenIDConfiguration are what a client hears whose token is
	// refused (RFC 7628 §3.2.2): the scope that one has to have, and the https
	// URL of the issuer's metadata. Empty: not said.
	TokenScope, OpenIDConfiguration string
	// Certificate maps a client's verified certificate to a user name, for
	// EXTERNAL; see CertificateEmail. Nil turns it off. ErrRejected, ErrNoUser:
	// it is nobody here; any other error is a temporary failure. May block.
	Certificate func(ctx context.Context, c *x509.Certificate) (username string, err error)
	// Anonymous is the account of clients that log in by ANONYMOUS. Empty turns
	// it off. It is not looked up.
	Anonymous string
	// DecoyKey makes the salts that SCRAM shows for unknown users. It has to be
	// the same on all nodes and after a restart, or else somebody who compares
	// sees who is unknown: 32 random octets in a file. Nil means a new one.
	DecoyKey []byte
	// SCRAMIterations is what SCRAM shows for unknown users: those that the
	// stored verifiers have. Zero means saslmech.DefaultIterations.
	SCRAMIterations int
	// Authorize says whether a user may act for another account. Nil means that
	// everybody acts for himself only.
	Authorize Authorizer
	// Rehash says what becomes of stored hashes that are weaker than Params.
	Rehash Rehash
	// Logger receives one record per attempt, without the password. Nil means
	// slog.Default.
	Logger *slog.Logger
	// Observe is told the end of every attempt, from the goroutine that made
	// it. It must not block. Nil: nobody is. Package activity has one.
	Observe func(ctx context.Context, e Event)

	once    sync.Once
	guard   Guard
	queue   hashQueue
	dummy   parsedHash
	decoy   saslmech.Decoy
	success *successCache // nil: off
}

var _ Authenticator = (*Service)(nil)

// Authorizer says whether a user may act for another account (the SASL
// authorization identity, RFC 4422 §3.4.1), which is canonical and not his own.
// ErrRejected: he may not; any other error is a temporary failure. May block.
type Authorizer func(ctx context.Context, id Identity, account string) error

// Validate reports everything that is wrong with the fields.
func (s *Service) Validate() error {
	var faults []error
	if s.Backend == nil {
		faults = append(faults, errors.New("login: Service.Backend is missing"))
	}
	if !s.Params.withDefaults().valid() {
		faults = append(faults, errors.New("login: Service.Params are out of bounds"))
	}
	for _, name := range append(slices.Clone(s.Enable), s.Disable...) {
		if name != APOP && !slices.Contains(saslmech.Names(), name) {
			faults = append(faults, fmt.Errorf("login: unknown mechanism %q", name))
		}
	}
	if n := s.SCRAMIterations; n != 0 && (n < saslmech.MinIterations || n > saslmech.MaxIterations) {
		faults = append(faults, errors.New("login: Service.SCRAMIterations are out of bounds"))
	}
	return errors.Join(faults...)
}

// start fills in the defaults.
func (s *Service) start() {
	s.guard = s.Guard
	if s.guard == nil {
		s.guard = &Throttle{}
	}
	p := s.Params.withDefaults()
	if !p.valid() {
		p = Params{}.withDefaults()
	}
	s.dummy = dummyHash(p)
	s.queue = newHashQueue(s.MaxConcurrentHashes, s.QueueTimeout)
	s.success = newSuccessCache(s.CacheTTL)
	s.decoy = saslmech.Decoy{Key: s.DecoyKey, Iterations: s.SCRAMIterations}
	if len(s.decoy.Key) == 0 {
		s.decoy.Key = []byte(rand.Text())
	}
}

// Authenticate judges one attempt. It blocks while the guard delays it, while
// it waits for its turn to hash, and while it hashes. The errors are
// ErrRejected, ErrTooMany, ErrTLSRequired and ErrTemporary; a context that ends
// is a temporary failure.
func (s *Service) Authenticate(ctx context.Context, a Attempt) (Identity, error) {
	s.once.Do(s.start)
	prepared, err := s.screen(a)
	if err != nil {
		s.log(ctx, a, "refused unseen", err)
		return Identity{}, err
	}
	return s.guarded(ctx, prepared, func() (Identity, string, error) { return s.judge(ctx, prepared) })
}

// guarded runs judge when the guard lets the attempt through, tells the guard
// what came of it, and writes the log. The reason of judge is for the log.
func (s *Service) guarded(ctx context.Context, a Attempt, judge func() (_ Identity, reason string, _ error)) (Identity, error) {
	end, err := s.guard.Begin(ctx, a)
	if err != nil {
		if !errors.Is(err, ErrTooMany) {
			err = temporary(err)
		}
		s.log(ctx, a, "guard", err)
		return Identity{}, err
	}
	outcome := Undecided
	defer func() { end(outcome) }() // also when a backend panics
	id, reason, err := judge()
	switch {
	case err == nil && (a.Username == "" || a.Username == id.User): // not a token of somebody else
		outcome = Succeeded
	case errors.Is(err, ErrRejected):
		outcome = Failed
	}
	if a.Username == "" {
		a.Username = id.User
	}
	s.logAs(ctx, a, id, reason, err)
	return id, err
}

// screen refuses what no backend needs to see, and returns the attempt with a
// canonical user name and a prepared password. Nothing here depends on which
// users exist.
func (s *Service) screen(a Attempt) (Attempt, error) {
	if !a.TLS && !s.AllowPlaintext {
		return a, ErrTLSRequired
	}
	user, err := Canonical(a.Username)
	if err != nil {
		return a, ErrRejected
	}
	password, err := preparePassword(a.Password)
	if err != nil {
		return a, ErrRejected
	}
	a.Username, a.Password = user, NewPassword(password)
	return a, nil
}

// judge asks the backend and checks the password. The reason is for the log.
func (s *Service) judge(ctx context.Context, a Attempt) (_ Identity, reason string, _ error) {
	k, err := s.know(ctx, a.Username, a.Peer)
	if err != nil {
		return Identity{}, "lookup", err
	}
	if k.reason != "" {
		k.rec = Record{Hash: k.rec.Hash, Disabled: true}
	}
	id := k.identity()
	if id.AppPassword, err = s.matchApp(ctx, k.rec, a); err != nil {
		return Identity{}, "check", temporary(err)
	}
	if id.AppPassword != "" {
		s.noteUse(ctx, k.rec, a.Username, id.AppPassword)
		return id, "", nil
	}
	ok, err := s.matches(ctx, k.rec, a)
	switch {
	case err != nil:
		return Identity{}, "check", temporary(err)
	case k.reason != "":
		return Identity{}, k.reason, ErrRejected
	case !ok && k.rec.AppPasswordsOnly:
		return Identity{}, "no app password", ErrRejected
	case !ok:
		return Identity{}, "wrong password", ErrRejected
	}
	s.rehash(ctx, k.rec, a)
	return id, "", nil
}

// matches reports whether the record accepts the attempt's password as the
// user's own. A record that accepts none costs a hash all the same (invariant
// I1).
func (s *Service) matches(ctx context.Context, rec Record, a Attempt) (bool, error) {
	usable := !rec.Disabled && !rec.AppPasswordsOnly
	if rec.Check != nil && usable {
		err := rec.Check(ctx, a)
		if errors.Is(err, ErrRejected) {
			return false, nil
		}
		return err == nil, err
	}
	f, err := s.formOf(rec)
	if err != nil && usable {
		return false, err
	}
	if usable && f.hash != "" {
		f.user = a.Username
		return s.checkOwn(ctx, f, a.Password.Reveal())
	}
	return false, s.burn(ctx, f.parsed, a.Password.Reveal())
}

// formOf returns the stored form to check a shown password against: the
// record's Hash, or where it has none the first of its Secrets that judges
// passwords, or else the dummy, which nothing fits. It is the dummy beside
// ErrHash, too.
func (s *Service) formOf(rec Record) (stored, error) {
	forms := rec.Secrets
	if rec.Hash != "" {
		forms = []string{rec.Hash}
	}
	for _, form := range forms {
		if h, err := parseHash(form); err == nil {
			return stored{hash: form, parsed: h}, nil
		}
	}
	if len(forms) > 0 {
		return stored{parsed: s.dummy}, ErrHash
	}
	return stored{parsed: s.dummy}, nil
}

// temporary marks err as a failure of ours, keeping it for the log.
func temporary(err error) error {
	if errors.Is(err, ErrTemporary) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTemporary, err)
}

// log writes the record of an attempt by which nobody logged in.
func (s *Service) log(ctx context.Context, a Attempt, reason string, err error) {
	s.logAs(ctx, a, Identity{}, reason, err)
}

// logAs writes the record of one attempt, and tells Observe.
func (s *Service) logAs(ctx context.Context, a Attempt, id Identity, reason string, err error) {
	s.observe(ctx, Event{Attempt: a, Identity: id, Reason: reason, Err: err})
	logger := s.Logger
	if logger == nil {
		logger = slog.Default()
	}
	attrs := []slog.Attr{
		slog.String("user", a.Username), slog.String("protocol", string(a.Protocol)),
		slog.String("mechanism", a.Mechanism), slog.String("peer", a.Peer.String()),
	}
	if len(a.Username) > MaxUsername {
		attrs[0] = slog.Int("userOctets", len(a.Username))
	}
	level, msg := slog.LevelInfo, "login accepted"
	switch {
	case errors.Is(err, ErrTemporary):
		level, msg = slog.LevelError, "login failed"
	case err != nil:
		level, msg = slog.LevelInfo, "login refused"
	}
	if reason != "" {
		attrs = append(attrs, slog.String("reason", reason))
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", err))
	}
	logger.LogAttrs(ctx, level, msg, attrs...)
}
