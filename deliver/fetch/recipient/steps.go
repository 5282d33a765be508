package recipient

import (
	"context"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// maxTries bounds the fields of one name that are tried one after the other: each
// may be a question to the Directory. A chain of more deliveries is a loop.
const maxTries = 20

// finding is what a step has read, before it is mapped.
type finding struct {
	paths   []smtp.Path
	by      string
	guessed bool
	spelled bool // by the configuration: the Directory is not asked
}

// search is one message on its way through the steps.
type search struct {
	*Resolver
	*header
	result Result

	known   bool // the envelope names somebody, if nobody who exists
	crowded bool // a step found more than MaxRecipients
}

// step runs one step; true: somebody was found.
func (s *search) step(ctx context.Context, step Step) (bool, error) {
	s.result.Step = step
	switch step {
	case StepField:
		return s.field(ctx, &s.c.Field)
	case StepEnvelope:
		for i := range s.envelope {
			if found, err := s.field(ctx, &s.envelope[i]); found || err != nil {
				return found, err
			}
		}
		return false, nil
	case StepReceived:
		return s.fromReceived(ctx)
	case StepRules:
		return s.fromRules(ctx)
	case StepAddress:
		return s.fromAddresses(ctx)
	default:
		return s.settle(ctx, finding{paths: s.defaults, by: string(step), guessed: step == StepDefault, spelled: true})
	}
}

// field asks the fields that f says.
func (s *search) field(ctx context.Context, f *Field) (bool, error) {
	for values := range s.values(f) {
		var paths []smtp.Path
		for _, v := range values {
			paths = s.ours(paths, v.value, true)
		}
		s.known = s.known || len(paths) > 0
		if found, err := s.settle(ctx, finding{paths: paths, by: f.Name}); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// values yields the fields that f says, those that count together at a time.
func (s *search) values(f *Field) func(yield func([]*field) bool) {
	list := slices.Collect(s.all(f.Name, f.Anywhere))
	if f.Anywhere && s.cut && f.Index < 0 {
		list = nil // the lowest one is not there
	}
	return func(yield func([]*field) bool) {
		from, to := 0, len(list)
		switch i := f.Index; {
		case i > 0:
			from, to = min(i-1, to), min(i, to)
		case i < 0:
			from, to = max(to+i, 0), max(to+i+1, 0)
		}
		for tries := 0; from < to && tries < maxTries; tries++ {
			end := from + 1
			for f.All && end < len(list) && list[end].above == list[from].above {
				end++
			}
			if !yield(list[from:end]) {
				return
			}
			from = end
		}
	}
}

// fromReceived asks the "for" of the provider's Received fields, the oldest
// first: at the entrance stands what the sender's host said, and above it perhaps
// the name of the mailbox.
func (s *search) fromReceived(ctx context.Context) (bool, error) {
	for i, f := range slices.Backward(slices.Collect(s.all("received", false))) {
		if i < s.received-maxTries {
			break
		}
		paths := s.ours(nil, forAddresses(f.value), false)
		s.known = s.known || len(paths) > 0
		if found, err := s.settle(ctx, finding{paths: paths, by: f.name}); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// fromAddresses takes the recipients that the sender shows. Those of the newest
// resent block go before the others (RFC 5322 §3.6.6). It asks nothing where the
// envelope is known: its recipient does not exist, and what others get is theirs
// already.
func (s *search) fromAddresses(ctx context.Context) (bool, error) {
	if s.known || s.cut {
		return false, nil
	}
	for _, resent := range []bool{true, false} {
		list, by := s.shown(resent)
		if found, err := s.settle(ctx, finding{paths: list, by: by, guessed: true}); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// shown returns the addresses in the fields of Config.Address, and the name of
// the first field that has one.
func (s *search) shown(resent bool) (list []smtp.Path, by string) {
	seen := make(map[string]bool)
	above := -1
	for i := range s.fields {
		f := &s.fields[i]
		if !slices.Contains(s.address, f.name) || strings.HasPrefix(f.name, "resent-") != resent {
			continue
		}
		if resent && (seen[f.name] || above >= 0 && above != f.above) {
			break // an older block
		}
		seen[f.name], above = true, f.above
		n := len(list)
		if list = s.ours(list, f.value, false); n == 0 && len(list) > 0 {
			by = f.name
		}
	}
	return list, by
}

// settle maps what was found, asks who exists, and takes doubles out. True:
// somebody is left.
func (s *search) settle(ctx context.Context, f finding) (bool, error) {
	if len(f.paths) > s.maxRecipients {
		s.crowded = true
		return false, nil
	}
	list, err := s.mapped(ctx, f.paths)
	if err != nil {
		return false, err
	}
	if !f.spelled {
		if list, err = s.existing(ctx, list); err != nil {
			return false, err
		}
	}
	if len(list) == 0 {
		return false, nil
	}
	s.result.Recipients, s.result.By, s.result.Guessed = list, f.by, f.guessed
	return true, nil
}
