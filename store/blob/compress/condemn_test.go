package compress_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// catalogue is a store with marks, and adoptions in a transaction.
type catalogue struct {
	*memblob.Blobs
	adopted []blob.Ref
	saved   map[blob.Ref]bool // adopted behind the mark
}

type tx struct{}

func (c *catalogue) Adopt(_ context.Context, _ *tx, refs ...blob.Ref) error {
	c.adopted = append(c.adopted, refs...)
	return nil
}

type marks struct{ *catalogue }

func (c *catalogue) As(target any) bool {
	switch t := target.(type) {
	case *blob.Adopter[*tx]:
		*t = c
		return true
	case *blob.Condemner:
		*t = marks{c}
		return true
	}
	return false
}

func (m marks) Condemn(context.Context, ...blob.Ref) (blob.Condemned, error) { return m, nil }

func (m marks) Delete(ctx context.Context, refs ...blob.Ref) (gone []blob.Ref, err error) {
	for _, ref := range refs {
		if !m.saved[ref] {
			gone = append(gone, ref)
		}
	}
	return gone, m.Blobs.Delete(ctx, gone...)
}

// TestAdoptBelow: the catalogue below is asked for its own Refs.
func TestAdoptBelow(t *testing.T) {
	c, old := &catalogue{Blobs: memblob.New()}, memblob.New()
	z := over(t, c, old)
	before, ref := put(t, old, text(10), -1), put(t, z, text(10), -1)
	if err := blob.Adopt(t.Context(), z, &tx{}, ref, before); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(c.adopted) != fmt.Sprint([]blob.Ref{ref[1:]}) {
		t.Errorf("adopted below: %v, want %s", c.adopted, ref[1:])
	}
	if err := blob.Adopt(t.Context(), over(t, c, nil), &tx{}, before); err == nil {
		t.Error("a Ref that leads nowhere is adopted")
	}
}

// TestCondemnBelow: a blob that was adopted behind its mark stays.
func TestCondemnBelow(t *testing.T) {
	c, old := &catalogue{Blobs: memblob.New(), saved: map[blob.Ref]bool{}}, memblob.New()
	z := over(t, c, old)
	before, gone, saved := put(t, old, text(10), -1), put(t, z, text(10), -1), put(t, z, text(10), -1)
	c.saved[saved[1:]] = true
	k := blob.Collector{Blobs: z, Holders: []blob.Holder{holder{}}, MinAge: -1, Logger: slog.New(slog.DiscardHandler)}
	st, err := k.Collect(t.Context())
	if err != nil || st.Deleted != 2 || st.Held != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	for ref, there := range map[blob.Ref]bool{before: false, gone: false, saved: true} {
		if _, err := get(t.Context(), z, ref); (err == nil) != there {
			t.Errorf("%s: %v", ref, err)
		}
	}
	if _, ok := blob.As[blob.Condemner](over(t, memblob.New(), nil)); ok {
		t.Error("marks are found where there are none")
	}
}
