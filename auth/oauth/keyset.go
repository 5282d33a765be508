package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/oauth/internal/endpoint"
	"github.com/mailstead/mailstead/auth/oauth/internal/flight"
)

// KeySet is the set of keys that an issuer signs with (RFC 7517), read from one
// of File, URL and Issuer and kept in memory. Its fields are set before the
// first use and not changed later; it is not copied after first use.
type KeySet struct {
	// File is a JWK Set on this machine.
	File string
	// URL is where the issuer publishes its JWK Set (jwks_uri): https, or http
	// on loopback.
	URL string
	// Issuer is an issuer whose metadata says where its keys are (RFC 8414,
	// OpenID Connect Discovery).
	Issuer string
	// AllowHTTP allows addresses without TLS everywhere. Who can change the
	// traffic then chooses the keys.
	AllowHTTP bool
	// Client is what requests go through. Nil means http.DefaultTransport.
	Client *http.Client
	// TTL is how long keys are used before they are read again; a key that the
	// issuer took back counts for as long. Zero means 15 min.
	TTL time.Duration
	// MinInterval is the least time between two readings, however many tokens
	// name unknown keys. Zero means 15 s.
	MinInterval time.Duration
	// MaxStale is how old keys may become while the issuer cannot be reached.
	// Zero means 24 h. TTL counts where it is longer.
	MaxStale time.Duration
	// Timeout bounds one reading. Zero means 5 s.
	Timeout time.Duration
	// MaxBytes bounds the document. Zero means 512 KiB.
	MaxBytes int64
	// Logger is told when keys cannot be read. Nil means slog.Default.
	Logger *slog.Logger

	flight flight.Group[struct{}, struct{}]

	mu    sync.Mutex
	keys  []key
	read  time.Time // when keys were asked for; zero: never had
	tried time.Time // when the latest reading began
	err   error     // of the latest reading
}

// Validate reports everything that is wrong with the fields.
func (s *KeySet) Validate() error {
	given := 0
	var faults []error
	for _, source := range []string{s.File, s.URL, s.Issuer} {
		if source != "" {
			given++
		}
	}
	if given != 1 {
		faults = append(faults, errors.New("oauth: KeySet needs one of File, URL and Issuer"))
	}
	for _, address := range []string{s.URL, s.Issuer} {
		if address == "" {
			continue
		}
		if err := endpoint.CheckURL(address, s.AllowHTTP); err != nil {
			faults = append(faults, fmt.Errorf("oauth: KeySet: %.80q: %w", endpoint.Show(address), err))
		}
	}
	return errors.Join(faults...)
}

// find returns the keys that may have made a signature; at least one.
func (s *KeySet) find(ctx context.Context, keyID, algorithm string) ([]key, error) {
	keys, age := s.current()
	found := match(keys, keyID, algorithm)
	if usable := len(found) > 0 && age < s.maxStale(); !usable || age >= s.ttl() {
		if err := s.refresh(ctx, !usable); err != nil {
			return nil, err
		}
		keys, age = s.current()
		found = match(keys, keyID, algorithm)
	}
	switch failed := s.failure(); {
	case age >= s.maxStale(), len(found) == 0 && failed != nil:
		return nil, unavailable(ErrKeys, failed)
	case len(found) == 0:
		return nil, refuse(ErrSignature, "no key "+keyID)
	}
	return found, nil
}

// refresh reads the keys unless that was tried lately. Where somebody else
// reads them now it waits for him only with wait. The error is that of a
// context that ended; how the reading went is in failure.
func (s *KeySet) refresh(ctx context.Context, wait bool) error {
	if busy := s.flight.Busy(struct{}{}); busy && !wait || !busy && !s.due() {
		return nil
	}
	_, err := s.flight.Do(ctx, struct{}{}, s.timeout(), func(ctx context.Context) (_ struct{}, _ error) {
		if s.due() { // nobody else did it since we looked
			s.reread(ctx)
		}
		return
	})
	if err != nil {
		return unavailable(ErrKeys, err)
	}
	return nil
}

// reread reads the keys and keeps the old ones when that fails.
func (s *KeySet) reread(ctx context.Context) {
	s.mu.Lock()
	s.tried = time.Now()
	at := s.tried
	s.mu.Unlock()
	data, err := s.load(ctx)
	var keys []key
	if err == nil {
		keys, err = parseKeySet(data)
	}
	if err != nil {
		logger := s.Logger
		if logger == nil {
			logger = slog.Default()
		}
		logger.WarnContext(ctx, "keys of an OAuth issuer cannot be read", "source", s.File+endpoint.Show(s.URL+s.Issuer), "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.keys, s.read = keys, at
	}
}

// load returns the document.
func (s *KeySet) load(ctx context.Context) ([]byte, error) {
	c := endpoint.Client{HTTP: s.Client, MaxBytes: s.maxBytes(), AllowHTTP: s.AllowHTTP}
	switch {
	case s.File != "":
		return readFile(s.File, s.maxBytes())
	case s.URL != "":
		return fetchKeys(ctx, c, s.URL)
	}
	address, err := discover(ctx, c, s.Issuer)
	if err != nil {
		return nil, err
	}
	return fetchKeys(ctx, c, address)
}

// fetchKeys gets a JWK Set. Its media type is not looked at: sets are often
// plain files, and what is not one does not parse as one.
func fetchKeys(ctx context.Context, c endpoint.Client, address string) ([]byte, error) {
	r, err := c.Get(ctx, address)
	if err == nil && r.Status != http.StatusOK {
		err = fmt.Errorf("key set: status %d", r.Status)
	}
	return r.Body, err
}

func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read: nothing to lose
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: larger than %d octets", path, limit)
	}
	return data, err
}

// current returns the keys and how old they are.
func (s *KeySet) current() (keys []key, age time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys, time.Since(s.read)
}

// due reports whether the keys may be read again.
func (s *KeySet) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(s.tried) >= orDefault(s.MinInterval, 15*time.Second)
}

func (s *KeySet) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

func (s *KeySet) ttl() time.Duration      { return orDefault(s.TTL, 15*time.Minute) }
func (s *KeySet) maxStale() time.Duration { return max(s.ttl(), orDefault(s.MaxStale, 24*time.Hour)) }
func (s *KeySet) timeout() time.Duration  { return orDefault(s.Timeout, 5*time.Second) }
func (s *KeySet) maxBytes() int64         { return orDefault(s.MaxBytes, 512<<10) }

// orDefault returns v, or the default for zero and less.
func orDefault[T ~int | ~int64](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
