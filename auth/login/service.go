package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
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
	// Authorize says whether a user may act for another account (the SASL
	// authorization identity, RFC 4422 §3.4.1), which is canonical and not his
	// own. ErrRejected: he may not; any other error is a temporary failure.
	// Nil means that everybody acts for himself only. May block.
	Authorize func(ctx context.Context, id Identity, account string) error
	// Rehash says what becomes of stored hashes that are weaker than Params.
	Rehash Rehash
	// Logger receives one record per attempt, without the password. Nil means
	// slog.Default.
	Logger *slog.Logger

	once    sync.Once
	guard   Guard
	queue   hashQueue
	dummy   parsedHash
	success *successCache // nil: off
}

var _ Authenticator = (*Service)(nil)

// Validate reports everything that is wrong with the fields.
func (s *Service) Validate() error {
	var faults []error
	if s.Backend == nil {
		faults = append(faults, errors.New("login: Service.Backend is missing"))
	}
	if !s.Params.withDefaults().valid() {
		faults = append(faults, errors.New("login: Service.Params are out of bounds"))
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
	end, err := s.guard.Begin(ctx, prepared)
	if err != nil {
		if !errors.Is(err, ErrTooMany) {
			err = temporary(err)
		}
		s.log(ctx, prepared, "guard", err)
		return Identity{}, err
	}
	outcome := Undecided
	defer func() { end(outcome) }() // also when a backend panics
	id, reason, err := s.judge(ctx, prepared)
	switch {
	case err == nil:
		outcome = Succeeded
	case errors.Is(err, ErrRejected):
		outcome = Failed
	}
	s.log(ctx, prepared, reason, err)
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
	if s.Backend == nil {
		return Identity{}, "no backend", ErrTemporary
	}
	rec, err := s.Backend.Lookup(ctx, a.Username)
	reason = "wrong password"
	switch {
	case errors.Is(err, ErrNoUser):
		rec, reason = Record{Disabled: true}, "unknown user"
	case err != nil:
		return Identity{}, "backend", temporary(err)
	case rec.Disabled:
		reason = "disabled"
	}
	ok, err := s.matches(ctx, rec, a)
	if err != nil {
		return Identity{}, "check", temporary(err)
	}
	if !ok {
		return Identity{}, reason, ErrRejected
	}
	account := rec.Account
	if account == "" {
		account = a.Username
	}
	return Identity{Account: account, User: a.Username}, "", nil
}

// matches reports whether the record accepts the attempt's password. A record
// that accepts none costs a hash all the same (invariant I1).
func (s *Service) matches(ctx context.Context, rec Record, a Attempt) (bool, error) {
	if rec.Check != nil && !rec.Disabled {
		err := rec.Check(ctx, a)
		if errors.Is(err, ErrRejected) {
			return false, nil
		}
		return err == nil, err
	}
	h, err := s.hashOf(rec)
	if err != nil {
		return false, err
	}
	password := a.Password.Reveal()
	digest := s.success.digest(a.Username, rec.Hash, password)
	if !rec.Disabled && s.success.has(digest) {
		return true, nil
	}
	if err := s.queue.enter(ctx); err != nil {
		return false, err
	}
	defer s.queue.leave()
	if !h.matches([]byte(password)) || rec.Disabled {
		return false, nil
	}
	s.success.add(digest)
	return true, nil
}

// hashOf returns the hash to check against: the record's, or the dummy where
// it has none that could let anyone in.
func (s *Service) hashOf(rec Record) (parsedHash, error) {
	if rec.Hash == "" {
		return s.dummy, nil
	}
	h, err := parseHash(rec.Hash)
	if err != nil && rec.Disabled {
		return s.dummy, nil
	}
	return h, err
}

// temporary marks err as a failure of ours, keeping it for the log.
func temporary(err error) error {
	if errors.Is(err, ErrTemporary) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrTemporary, err)
}

// log writes the record of one attempt.
func (s *Service) log(ctx context.Context, a Attempt, reason string, err error) {
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
	level, msg := slog.LevelDebug, "login accepted"
	switch {
	case errors.Is(err, ErrTemporary):
		level, msg = slog.LevelError, "login failed"
		attrs = append(attrs, slog.String("reason", reason), slog.Any("error", err))
	case err != nil:
		level, msg = slog.LevelInfo, "login refused"
		attrs = append(attrs, slog.String("reason", reason), slog.Any("error", err))
	}
	logger.LogAttrs(ctx, level, msg, attrs...)
}
