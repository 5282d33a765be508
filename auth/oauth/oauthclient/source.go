package oauthclient

import (
	"context"
	"errors"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/oauth/internal/digest"
	"github.com/mailstead/mailstead/auth/oauth/internal/flight"
)

// Source keeps an access token and gets another in time. It implements
// login.TokenSource. Its fields are set before the first use and not changed
// later; it is not copied after first use.
type Source struct {
	// Grant is where tokens come from. Required.
	Grant Grant
	// Margin is how long before its end a token is replaced. Zero means 2 min,
	// negative none; never more than a fifth of the token's life.
	Margin time.Duration
	// Timeout bounds one Fetch. Zero means 30 s.
	Timeout time.Duration
	// MinBackoff and MaxBackoff bound the time after a failure in which the
	// Grant is not asked again; it doubles with each. Zero means 1 s and 5 min.
	// A failure that is not temporary counts for MaxBackoff.
	MinBackoff, MaxBackoff time.Duration

	flight  flight.Group[struct{}, struct{}]
	digests digest.Maker

	mu       sync.Mutex
	tokens   Tokens    // Access empty: none
	got      time.Time // when tokens came
	refused  [16]digest.Digest
	next     int // index of the oldest in refused
	failures int // of the Grant in a row
	refusals int // of tokens soon after they came, in a row
	err      error
	retry    time.Time // before it err counts
}

var _ login.TokenSource = (*Source)(nil)

// unknownLifetime is for how long a token is used whose server does not say.
const unknownLifetime = time.Hour

// Token implements login.TokenSource. Callers that come while a token is asked
// for wait for it. Once the request is out it is not given up with ctx, because
// it may have spent a refresh token: the call then returns late, within Timeout.
//
// A failure to get a new token is not reported while the old one is valid.
// The errors are those of the Grant, and ErrRefused.
func (s *Source) Token(ctx context.Context, refused string) (string, error) {
	if s.Grant == nil {
		return "", ErrConfig
	}
	if err := ctx.Err(); err != nil {
		return "", temporary(ErrServer, err)
	}
	if refused != "" {
		s.refuse(refused)
	}
	token, due := s.current()
	if !due {
		return s.result(token)
	}
	if token != "" && s.flight.Busy(struct{}{}) {
		return token, nil // somebody is at it, and this one is good for a while
	}
	_, err := s.flight.Do(ctx, struct{}{}, s.timeout(), func(ctx context.Context) (_ struct{}, _ error) {
		if _, due := s.current(); due { // nobody else did it since we looked
			s.fetch(ctx)
		}
		return
	})
	if err != nil {
		return "", temporary(ErrServer, err)
	}
	token, _ = s.current()
	return s.result(token)
}

// result is what Token returns when there is nothing more to try.
func (s *Source) result(token string) (string, error) {
	if token != "" {
		return token, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return "", s.err
	}
	return "", temporary(ErrServer, nil)
}

// current returns the token, "" where none is valid, and whether another should
// be fetched now.
func (s *Source) current() (token string, due bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	end := s.endLocked()
	if now.Before(end) {
		token = s.tokens.Access.Reveal()
	}
	fresh := token != "" && now.Before(end.Add(-s.marginLocked(end)))
	return token, !fresh && !now.Before(s.retry)
}

func (s *Source) endLocked() time.Time {
	if s.tokens.Expires.IsZero() {
		return s.got.Add(unknownLifetime)
	}
	return s.tokens.Expires
}

func (s *Source) marginLocked(end time.Time) time.Duration {
	margin := s.Margin
	if margin == 0 {
		margin = 2 * time.Minute
	}
	return min(max(margin, 0), end.Sub(s.got)/5)
}

// refuse forgets a token that a server did not accept. One that is refused soon
// after it came counts as a failure, so that a server which accepts none does
// not make us ask for new ones without end.
func (s *Source) refuse(token string) {
	d := s.digests.Sum(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rememberLocked(d)
	if s.tokens.Access.Reveal() != token {
		return
	}
	young := time.Since(s.got) < time.Minute
	s.tokens = Tokens{}
	if !young {
		s.refusals = 0
		return
	}
	s.refusals++
	s.failLocked(temporary(ErrRefused, nil), s.refusals)
}

func (s *Source) rememberLocked(d digest.Digest) {
	if s.isRefusedLocked(d) {
		return
	}
	s.refused[s.next] = d
	s.next = (s.next + 1) % len(s.refused)
}

func (s *Source) isRefusedLocked(d digest.Digest) bool {
	for _, r := range s.refused {
		if r == d {
			return true
		}
	}
	return false
}

// fetch asks the Grant and keeps what comes of it.
func (s *Source) fetch(ctx context.Context) {
	asked := time.Now()
	t, err := s.Grant.Fetch(ctx)
	d := s.digests.Sum(t.Access.Reveal())
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
	case !isToken(t.Access.Reveal()):
		err = temporary(ErrServer, errBadToken)
	case s.isRefusedLocked(d):
		err = temporary(ErrRefused, nil)
	}
	if err != nil {
		s.failures++
		s.failLocked(err, s.failures)
		return
	}
	if s.tokens.Access.Reveal() != "" {
		s.refusals = 0 // the last one served its time
	}
	t.Refresh = login.Password{} // not needed here
	s.tokens, s.got = t, asked
	s.err, s.retry, s.failures = nil, time.Time{}, 0
}

// failLocked notes the n-th failure in a row and when to try again.
func (s *Source) failLocked(err error, n int) {
	first, longest := s.MinBackoff, s.MaxBackoff
	if first <= 0 {
		first = time.Second
	}
	if longest <= 0 {
		longest = 5 * time.Minute
	}
	wait := longest
	if errors.Is(err, login.ErrTemporary) {
		wait = min(first<<min(n-1, 20), longest)
		wait -= time.Duration(mathrand.Int64N(int64(wait)/4 + 1)) // so that many do not come back at once
	}
	var said *ServerError
	if errors.As(err, &said) {
		wait = max(wait, min(said.retryAfter, longest))
	}
	s.err, s.retry = err, time.Now().Add(wait)
}

func (s *Source) timeout() time.Duration {
	if s.Timeout <= 0 {
		return 30 * time.Second
	}
	return s.Timeout
}

// Static returns a source with one access token, for tests and for tokens that
// something else renews. Once that is refused there is only ErrRefused.
func Static(token string) login.TokenSource { return static{login.NewPassword(token)} }

type static struct{ token login.Password }

// Token implements login.TokenSource.
func (s static) Token(_ context.Context, refused string) (string, error) {
	if token := s.token.Reveal(); token != refused {
		return token, nil
	}
	return "", ErrRefused
}
