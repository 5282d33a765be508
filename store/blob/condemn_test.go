package blob_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// judge is a Blobs with marks, behind a wrapper.
type judge struct {
	*memblob.Blobs
	marked []blob.Ref
	spared blob.Ref // its mark is taken away
}

func (j *judge) Condemn(_ context.Context, refs ...blob.Ref) (blob.Condemned, error) {
	j.marked = append(j.marked, refs...)
	return sentence{j}, nil
}

type sentence struct{ *judge }

func (s sentence) Delete(ctx context.Context, refs ...blob.Ref) ([]blob.Ref, error) {
	refs = slices.DeleteFunc(slices.Clone(refs), func(ref blob.Ref) bool { return ref == s.spared })
	return refs, s.Blobs.Delete(ctx, refs...)
}

type wrapper struct{ blob.Blobs }

func (w wrapper) Unwrap() any { return w.Blobs }

// moving holds a Ref from the second question on.
type moving struct {
	holder
	ref blob.Ref
}

func (m *moving) Holds(ctx context.Context, refs []blob.Ref) ([]blob.Ref, error) {
	held, err := m.holder.Holds(ctx, refs)
	if m.asked > 1 && slices.Contains(refs, m.ref) {
		held = append(held, m.ref)
	}
	return held, err
}

// TestCollectCondemns: only what nobody holds is marked, what somebody holds when
// asked again stays, and so does what was adopted behind the last question.
func TestCollectCondemns(t *testing.T) {
	j := &judge{Blobs: memblob.New()}
	refs := put(t, j, 4)
	j.spared = refs[3]
	h := &moving{holder: holder{refs: map[blob.Ref]bool{refs[0]: true}}, ref: refs[1]}
	c := &blob.Collector{Blobs: wrapper{j}, Holders: []blob.Holder{h}, MinAge: -1, Logger: slog.New(slog.DiscardHandler)}
	st, err := c.Collect(t.Context())
	want := blob.Stats{Seen: 4, Candidates: 4, Held: 3, Deleted: 1, Bytes: 10}
	if err != nil || st != want {
		t.Errorf("%+v, %v; want %+v", st, err, want)
	}
	if !slices.Equal(j.marked, refs[1:]) {
		t.Errorf("marked are %v, want %v", j.marked, refs[1:])
	}
	if left := remaining(j); len(left) != 3 || left[refs[2]] {
		t.Errorf("left: %v", left)
	}
}

// TestAdoptWithout: where nothing can be adopted in a transaction, nothing
// happens.
func TestAdoptWithout(t *testing.T) {
	if err := blob.Adopt(t.Context(), memblob.New(), "a transaction", "ref"); err != nil {
		t.Error(err)
	}
	if err := blob.Adopt(t.Context(), nil, "a transaction", "ref"); err != nil {
		t.Error(err)
	}
}
