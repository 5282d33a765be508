package compress

import (
	"context"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/store/blob"
)

// As finds what this package has itself. Adopter is reached through
// blob.Wrapper, and Condemner is there where a store below has it.
func (z *Blobs) As(target any) (ok bool) {
	switch t := target.(type) {
	case *blob.Keyed:
		*t, ok = z, true
	case *blob.Stater:
		*t, ok = z, true
	case *blob.Wrapper:
		*t, ok = z, true
	case *blob.Condemner:
		if c, found := z.condemner(); found {
			*t, ok = c, true
		}
	}
	return ok
}

// condemner marks in both stores; a store without marks has none.
type condemner struct {
	z          *Blobs
	below, old blob.Condemner // nil = it has none
}

func (z *Blobs) condemner() (c condemner, found bool) {
	c.z = z
	c.below, found = blob.As[blob.Condemner](z.below)
	if z.old != nil {
		var ok bool
		c.old, ok = blob.As[blob.Condemner](z.old)
		found = found || ok
	}
	return c, found
}

// Condemn implements blob.Condemner.
func (c condemner) Condemn(ctx context.Context, refs ...blob.Ref) (blob.Condemned, error) {
	here, old := c.z.split(refs)
	m := &condemned{z: c.z}
	var err error
	if c.below != nil && len(here) > 0 {
		if m.below, err = c.below.Condemn(ctx, here...); err != nil {
			return nil, err
		}
	}
	if c.old != nil && len(old) > 0 {
		if m.old, err = c.old.Condemn(ctx, old...); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// condemned is what was marked in both stores.
type condemned struct {
	z          *Blobs
	below, old blob.Condemned // nil = no marks
}

// Delete implements blob.Condemned.
func (m *condemned) Delete(ctx context.Context, refs ...blob.Ref) ([]blob.Ref, error) {
	here, old := m.z.split(refs)
	gone, err := remove(ctx, m.z.below, m.below, here)
	for i := range gone {
		gone[i] = mark + gone[i]
	}
	more, err2 := remove(ctx, m.z.old, m.old, old)
	return append(gone, more...), errors.Join(err, err2)
}

// remove deletes what still has its mark, or all where there are no marks.
func remove(ctx context.Context, b blob.Blobs, m blob.Condemned, refs []blob.Ref) ([]blob.Ref, error) {
	switch {
	case len(refs) == 0:
		return nil, nil
	case m != nil:
		return m.Delete(ctx, refs...)
	}
	if err := b.Delete(ctx, refs...); err != nil {
		return nil, err
	}
	return refs, nil
}

// split sorts Refs by where they lie, under the names that they have there.
// Without a mark there are none where there is no Old.
func (z *Blobs) split(refs []blob.Ref) (here, old []blob.Ref) {
	for _, ref := range refs {
		inner, marked := strings.CutPrefix(string(ref), mark)
		switch {
		case marked:
			here = append(here, blob.Ref(inner))
		case z.old != nil:
			old = append(old, ref)
		}
	}
	return here, old
}
