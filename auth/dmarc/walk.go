package dmarc

import (
	"context"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/internal/fanout"
)

// maxWalk is how many names a tree walk asks for (RFC 9989 §4.10).
const maxWalk = 8

// found is what a name has: a record, with ErrPolicy or not, or none.
type found struct {
	domain string
	record *Record
	err    error // ErrPolicy, or why nobody knows
	temp   bool
	many   bool // there are records, of which none counts
}

// records remembers what was asked for on behalf of one message.
type records struct {
	resolver dnsx.Resolver
	mode     Mode

	mu      sync.Mutex
	known   map[string]found // by domain
	queries int
}

// targets are the names of a tree walk from a domain on, the domain first
// (RFC 9989 §4.10 steps 3 to 7).
func targets(domain string) []string {
	list := append(make([]string, 0, maxWalk), domain)
	labels := strings.Count(domain, ".") + 1
	for next := domain; ; {
		next = parent(next)
		labels--
		for ; labels >= maxWalk; labels-- {
			next = parent(next)
		}
		if next == "" {
			return list
		}
		list = append(list, next)
	}
}

// at is what a domain has (steps 1 and 2).
func (r *records) at(ctx context.Context, domain string) found {
	r.mu.Lock()
	f, ok := r.known[domain]
	if !ok {
		r.queries++
	}
	r.mu.Unlock()
	if ok {
		return f
	}
	f = found{domain: domain}
	answer, err := r.resolver.Lookup(ctx, "_dmarc."+domain, dnsx.TXT)
	switch {
	case err == nil:
		f.record, f.many, f.err = only(answer.Texts, r.mode)
	case !dnsx.NotFound(err):
		f.err, f.temp = err, true
	}
	if f.temp {
		return f // it may be known later
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]found{}
	}
	r.known[domain] = f
	return f
}

// only is the one record among texts, nil where there is none or more.
func only(texts []string, mode Mode) (record *Record, many bool, err error) {
	n := 0
	for _, text := range texts {
		if _, ok := version(text); !ok {
			continue
		}
		if n++; n > 1 {
			return nil, true, nil
		}
		record, err = parse(text, mode)
	}
	return record, false, err
}

// walk is what the names of a tree walk have, up to where it stops: at a record
// with psd=y or psd=n. All are asked for at once.
func (r *records) walk(ctx context.Context, names []string) []found {
	list := make([]found, len(names))
	fanout.Each(len(names), func(i int) { list[i] = r.at(ctx, names[i]) })
	for i, f := range list {
		if f.temp || f.record != nil && f.record.PSD != PSDUnknown {
			return list[:i+1]
		}
	}
	return list
}

// organizational is the Organizational Domain of where a walk began (RFC 9989
// §4.10.2), and what it has. Where the walk ended at psd=y, suffix is that
// record. temp is set, with err, where nobody knows.
func organizational(start string, list []found) (org, suffix found) {
	org = found{domain: start}
	for _, f := range list {
		switch {
		case f.temp:
			return f, found{}
		case f.record == nil:
		case f.record.PSD == PSDYes && f.domain != start:
			return below(start, f, list), f
		default:
			org = f // of the longest to the shortest: the last one stays
		}
	}
	return org, found{}
}

// below is the name under a public suffix on the way to start.
func below(start string, suffix found, list []found) found {
	name := childOf(start, suffix.domain)
	for _, f := range list {
		if f.domain == name {
			return f
		}
	}
	return found{domain: name}
}
