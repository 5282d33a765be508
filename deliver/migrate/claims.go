package migrate

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
)

// claims are messages that the target may have already: those of the ledger whose
// IDs have lost their meaning, and those that no record knows.
type claims struct {
	known  map[Print][]record // of the Validity before
	others map[Print][]string // refs
}

// take finds a message by its Print; each is taken once.
func (c *claims) take(p Print) *record {
	if p == 0 {
		return nil
	}
	if list := c.known[p]; len(list) > 0 {
		c.known[p] = list[1:]
		return &list[0]
	}
	if list := c.others[p]; len(list) > 0 {
		c.others[p] = list[1:]
		return &record{Ref: list[0], State: matched}
	}
	return nil
}

// refSet is a set of refs by their hashes, sorted.
type refSet []uint64

func hashRef(ref string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(ref)) // never fails
	return h.Sum64()
}

func (s refSet) has(ref string) bool {
	_, ok := slices.BinarySearch(s, hashRef(ref))
	return ok
}

// refs are those of all records.
func (p *pass) refs(ctx context.Context) (refSet, error) {
	var set refSet
	for e, err := range p.led.all(ctx) {
		if err != nil {
			return nil, err
		}
		if e.Ref != "" {
			set = append(set, hashRef(e.Ref))
		}
	}
	slices.Sort(set)
	return set, nil
}

// findClaims gathers what messages of the source may be recognised by.
func (p *pass) findClaims(ctx context.Context) error {
	p.match = p.to != nil && (p.led.Match || p.o.Match)
	if !p.match && p.led.Before.Runs == 0 {
		return nil
	}
	p.claims = &claims{}
	taken, err := p.refs(ctx)
	if err != nil {
		return err
	}
	if taken, err = p.claimBefore(ctx, taken); err != nil || !p.match {
		return err
	}
	return p.claimOthers(ctx, taken)
}

// claimBefore reads the records of the Validity before that were not recognised
// yet.
func (p *pass) claimBefore(ctx context.Context, taken refSet) (refSet, error) {
	before := p.led.Before
	if before.Runs == 0 {
		return taken, nil
	}
	p.claims.known = make(map[Print][]record)
	all := slices.Clone(taken)
	for e, err := range p.led.allOf(ctx, before.Generation, before.Runs) {
		if err != nil {
			return nil, err
		}
		if e.Ref == "" || taken.has(e.Ref) {
			continue
		}
		p.claims.known[e.Print] = append(p.claims.known[e.Print], *e.record)
		all = append(all, hashRef(e.Ref))
	}
	slices.Sort(all)
	return all, nil
}

// claimOthers lists what is in the target and not in the ledger.
func (p *pass) claimOthers(ctx context.Context, taken refSet) error {
	r, err := p.box.run.dst.Open(ctx, p.to)
	if err != nil {
		return err
	}
	defer r.Close()
	p.claims.others = make(map[Print][]string)
	for m, err := range r.List(ctx, true) {
		if err != nil {
			return err
		}
		if m.Print != 0 && !taken.has(m.ID) {
			p.claims.others[m.Print] = append(p.claims.others[m.Print], m.ID)
		}
	}
	return nil
}

// removeBefore removes what was not recognised after a change of Validity, as the
// source has it no more.
func (p *pass) removeBefore(ctx context.Context) error {
	if p.claims == nil || !p.o.Remove {
		return nil
	}
	for _, list := range p.claims.known {
		for i := range list {
			ok, err := p.untouched(ctx, &list[i])
			if err != nil {
				return err
			}
			if !ok {
				p.count(Totals{Kept: 1})
				continue
			}
			p.count(Totals{Removed: 1})
			if err := p.change(ctx, Alteration{Ref: list[i].Ref, Remove: true}, nil); err != nil {
				return err
			}
		}
	}
	return p.flushChanges(ctx)
}

// settleRefs finds the refs of a batch that was committed just before a crash.
func (p *pass) settleRefs(ctx context.Context) error {
	if !p.led.Open || p.o.DryRun || p.to == nil {
		return nil
	}
	var open []*entry
	for e, err := range p.led.all(ctx) {
		if err != nil {
			return err
		}
		if e.State == provisional {
			open = append(open, e)
		}
	}
	if len(open) == 0 {
		return nil
	}
	if err := p.openWriter(ctx); err != nil {
		return err
	}
	refs := make([]string, len(open))
	for i, e := range open {
		refs[i] = e.Ref
	}
	refs, err := p.writer.Resolve(ctx, refs)
	if err != nil {
		return err
	}
	if len(refs) != len(open) {
		return fmt.Errorf("migrate: the target resolved %d refs of %d", len(refs), len(open))
	}
	for i, e := range open {
		e.Ref, e.State = refs[i], settled
		if err := p.change(ctx, Alteration{}, e); err != nil {
			return err
		}
	}
	return p.flushChanges(ctx)
}
