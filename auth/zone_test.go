package auth

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
)

// zone is a Resolver over "NAME TYPE" → records; a name of which nothing is known
// does not exist. It counts, delays, and fails the question number fail.
type zone struct {
	records map[string][]string
	delay   time.Duration
	fail    int // from 1 on; 0 = none
	failure func(name string, t dnsx.Type) (*dnsx.Answer, error)

	mu    sync.Mutex
	asked []string
}

func (z *zone) Lookup(ctx context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	z.mu.Lock()
	z.asked = append(z.asked, name+" "+t.String())
	n := len(z.asked)
	z.mu.Unlock()
	if z.delay > 0 {
		select {
		case <-time.After(z.delay):
		case <-ctx.Done():
			return nil, &dnsx.Error{Name: name, Type: t, Kind: dnsx.ErrTimeout, Err: ctx.Err()}
		}
	}
	if n == z.fail {
		return z.failure(name, t)
	}
	return z.answer(name, t)
}

func (z *zone) answer(name string, t dnsx.Type) (*dnsx.Answer, error) {
	list := z.records[name+" "+t.String()]
	if len(list) == 0 {
		kind := dnsx.ErrNXDomain
		for key := range z.records {
			if strings.HasPrefix(key, name+" ") {
				kind = dnsx.ErrNoData
			}
		}
		return nil, &dnsx.Error{Name: name, Type: t, Kind: kind}
	}
	a := &dnsx.Answer{Name: name, TTL: time.Hour}
	for _, text := range list {
		switch t {
		case dnsx.TXT:
			a.Texts = append(a.Texts, text)
		case dnsx.A, dnsx.AAAA:
			a.Addrs = append(a.Addrs, netip.MustParseAddr(text))
		case dnsx.MX:
			a.MX = append(a.MX, dnsx.Exchange{Preference: 10, Host: text})
		case dnsx.PTR:
			a.Names = append(a.Names, text)
		}
	}
	return a, nil
}

// still is a Resolver over the records of a zone that does nothing else.
type still struct{ records map[string][]string }

func (s still) Lookup(_ context.Context, name string, t dnsx.Type) (*dnsx.Answer, error) {
	z := zone{records: s.records}
	if list := s.records[name+" "+t.String()]; t == dnsx.TXT && len(list) > 0 {
		return &dnsx.Answer{Texts: list, Name: name}, nil
	}
	return z.answer(name, t)
}
