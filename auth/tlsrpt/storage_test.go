package tlsrpt_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/auth/tlsrpt/tlsrpttest"
	"github.com/mailstead/mailstead/smtp"
)

// shelf is a Storage in memory.
type shelf struct {
	mu   sync.Mutex
	rows map[tlsrpt.Key][]tlsrpt.Counted
	err  error
}

func alike(a, b tlsrpt.Counted) bool {
	return reflect.DeepEqual(a.Policy, b.Policy) && reflect.DeepEqual(a.Failure, b.Failure)
}

func (s *shelf) addLocked(x tlsrpt.Counted) {
	if s.rows == nil {
		s.rows = map[tlsrpt.Key][]tlsrpt.Counted{}
	}
	list := s.rows[x.Key]
	i := slices.IndexFunc(list, func(y tlsrpt.Counted) bool { return alike(x, y) })
	if i < 0 {
		i, list = len(list), append(list, x)
		list[i].Sessions = 0
	}
	list[i].Sessions += x.Sessions
	s.rows[x.Key] = slices.DeleteFunc(list, func(y tlsrpt.Counted) bool { return y.Sessions <= 0 })
	if len(s.rows[x.Key]) == 0 {
		delete(s.rows, x.Key)
	}
}

func (s *shelf) Add(_ context.Context, list []tlsrpt.Counted) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	for _, x := range list {
		s.addLocked(x)
	}
	return 0, nil
}

func (s *shelf) Due(_ context.Context, before int64, after tlsrpt.Key, limit int) ([]tlsrpt.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := func(a, b tlsrpt.Key) int {
		if a.Day != b.Day {
			return int(a.Day - b.Day)
		}
		return strings.Compare(a.Domain, b.Domain)
	}
	keys := slices.SortedFunc(maps.Keys(s.rows), order)
	keys = slices.DeleteFunc(keys, func(k tlsrpt.Key) bool { return k.Day >= before || order(k, after) <= 0 })
	return keys[:min(limit, len(keys))], nil
}

func (s *shelf) Load(_ context.Context, key tlsrpt.Key) ([]tlsrpt.Counted, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rows[key]), nil
}

func (s *shelf) Delete(_ context.Context, _ tlsrpt.Key, loaded []tlsrpt.Counted) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range loaded {
		x.Sessions = -x.Sessions
		s.addLocked(x)
	}
	return nil
}

func TestStorage(t *testing.T) {
	tlsrpttest.Run(t, func(*testing.T) tlsrpt.Storage { return &shelf{} })
}

// resolver has one record for all.
type resolver struct{ err error }

func (r resolver) Lookup(_ context.Context, name string, typ dnsx.Type) (*dnsx.Answer, error) {
	if r.err != nil {
		return nil, &dnsx.Error{Name: name, Type: typ, Kind: r.err}
	}
	return &dnsx.Answer{Texts: []string{"v=TLSRPTv1; rua=mailto:r@example.org"}}, nil
}

// TestSendStored: what is stored is sent once, again under the same name where
// nobody knows that it was, and given up in the end.
func TestSendStored(t *testing.T) {
	noon := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	stored := &shelf{}
	c := &tlsrpt.Collector{Organization: "x", Submitter: "mx.example"}
	var once []string
	down := errors.New("down")
	s := &tlsrpt.Sender{
		Collector: c, Storage: stored, Resolver: resolver{}, From: "r@mx.example",
		Receiver: smtp.ReceiveFunc(func(_ context.Context, env *smtp.Envelope, r io.Reader) error {
			once = append(once, env.Mail.Once)
			_, err := io.Copy(io.Discard, r)
			return err
		}),
	}
	send := func(at time.Time, want int) error {
		t.Helper()
		n, err := s.SendDue(t.Context(), at)
		if n != want {
			t.Errorf("%d sent, want %d", n, want)
		}
		return err
	}
	count := func() {
		c.Add(tlsrpt.Session{Domain: "example.org", Time: noon})
		c.Add(tlsrpt.Session{Domain: "example.org", Time: noon, Failure: &tlsrpt.Failure{Result: tlsrpt.CertificateExpired}})
	}
	count()
	if err := send(noon, 0); err != nil || len(stored.rows) != 1 {
		t.Fatal("the day has not ended:", err)
	}
	before := &shelf{}
	before.Add(t.Context(), stored.rows[tlsrpt.Key{Day: noon.Unix() / 86400, Domain: "example.org"}])
	if err := send(noon.Add(24*time.Hour), 1); err != nil || len(stored.rows) != 0 {
		t.Fatal(err, stored.rows)
	}
	s.Storage = before // as after a crash
	if err := send(noon.Add(24*time.Hour), 1); err != nil || len(once) != 2 || once[0] != once[1] || once[0] == "" {
		t.Fatal(err, once)
	}
	s.Storage, s.Resolver = stored, resolver{dnsx.ErrServFail}
	count()
	if err := send(noon.Add(24*time.Hour), 0); !errors.Is(err, dnsx.ErrServFail) || len(stored.rows) != 1 {
		t.Error("it waits:", err)
	}
	if err := send(noon.Add(72*time.Hour), 0); err != nil || len(stored.rows) != 0 {
		t.Error("given up:", err)
	}
	s.Resolver = resolver{dnsx.ErrNXDomain}
	count()
	if err := send(noon.Add(24*time.Hour), 0); err != nil || len(stored.rows) != 0 {
		t.Error("nobody wants it:", err)
	}
	count()
	stored.err = down
	if err := c.Flush(t.Context(), stored); !errors.Is(err, down) {
		t.Error(err)
	}
	stored.err = nil
	if err := c.Flush(t.Context(), stored); err != nil || len(stored.rows) != 1 || c.Dropped() != 0 {
		t.Error("what was not kept is kept the next time:", err, stored.rows)
	}
}
