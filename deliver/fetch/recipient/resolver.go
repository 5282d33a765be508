package recipient

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// maxUnknown bounds Result.Unknown.
const maxUnknown = 10

// Resolver finds recipients. It does not change, and any number of goroutines may
// use it.
type Resolver struct {
	c Config

	steps     []Step
	envelope  []Field  // names in lower case
	address   []string // in lower case
	strip     []string // the longest first
	hosts     []string // canonical
	accept    set
	own       set
	rules     []rule
	defaults  []smtp.Path       // or those of Config.To
	names     map[string]string // fields that are looked at
	separator string

	maxHeader, maxRecipients int
}

// Find returns who gets the message of this header, a header block with or
// without its empty line. An error is that of Map or Directory: nothing is known
// then, and the message has to wait.
func (r *Resolver) Find(ctx context.Context, block []byte) (Result, error) {
	s := &search{Resolver: r, header: r.parse(block)}
	for _, step := range r.steps {
		switch found, err := s.step(ctx, step); {
		case err != nil:
			return Result{}, fmt.Errorf("recipient: %s: %w", step, err)
		case found:
			return s.result, nil
		}
	}
	return Result{Unknown: s.result.Unknown, Reason: s.reason()}, nil
}

// reason is why nobody was found.
func (s *search) reason() string {
	switch {
	case s.crowded:
		return fmt.Sprintf("more than %d recipients", s.maxRecipients)
	case len(s.result.Unknown) > 0:
		return "no such recipient: " + s.result.Unknown[0].String()
	case s.cut:
		return fmt.Sprintf("header of more than %d octets or %d fields", s.maxHeader, maxFields)
	}
	return "no recipient in the header"
}

// mapped returns who takes the places of paths, each once.
func (s *search) mapped(ctx context.Context, paths []smtp.Path) ([]smtp.ForwardPath, error) {
	list := make([]smtp.ForwardPath, 0, len(paths))
	seen := make(map[string]bool, len(paths))
	for _, p := range paths {
		if s.c.Map != nil {
			to, ok, err := s.c.Map.Map(ctx, p)
			if err != nil {
				return nil, err
			}
			if ok {
				p = to
			}
		}
		if key := mailaddr.Address(p); !seen[key] {
			seen[key] = true
			list = append(list, smtp.ForwardPath{Path: p})
		}
	}
	return list, nil
}

var errEntries = errors.New("directory returned a wrong number of entries")

// existing returns those whom the Directory knows, and notes the others.
func (s *search) existing(ctx context.Context, list []smtp.ForwardPath) ([]smtp.ForwardPath, error) {
	if s.c.Directory == nil || len(list) == 0 {
		return list, nil
	}
	entries, err := s.c.Directory.Lookup(ctx, list)
	if err != nil {
		return nil, err
	}
	if len(entries) != len(list) {
		return nil, errEntries
	}
	known := list[:0:0]
	for i, e := range entries {
		switch {
		case e.Err != nil:
			return nil, e.Err
		case e.Kind != deliver.Unknown:
			known = append(known, list[i])
		case len(s.result.Unknown) < maxUnknown && !slices.Contains(s.result.Unknown, list[i]):
			s.result.Unknown = append(s.result.Unknown, list[i])
		}
	}
	return known, nil
}
