package blobtest

import (
	"context"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

func list(t *testing.T, b blob.Blobs, after blob.Ref) []blob.Info {
	t.Helper()
	var infos []blob.Info
	for info, err := range b.List(context.Background(), after) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		infos = append(infos, info)
	}
	return infos
}

func listInOrder(t *testing.T, c Config) {
	b := c.New(t)
	want := map[blob.Ref]int{}
	for i := range 40 {
		n := sizes[i%len(sizes)] / 3
		want[put(t, b, octets(uint64(i), n), -1)] = n
	}
	all := list(t, b, "")
	if len(all) != len(want) {
		t.Fatalf("%d blobs listed, want %d", len(all), len(want))
	}
	for i, info := range all {
		if n, ok := want[info.Ref]; !ok || int64(n) != info.Size && !c.StoredSize {
			t.Errorf("listed %s with %d octets; want %d (%v)", info.Ref, info.Size, n, ok)
		}
		if i > 0 && all[i-1].Ref >= info.Ref {
			t.Errorf("%s comes before %s", all[i-1].Ref, info.Ref)
		}
		rest := list(t, b, info.Ref)
		if len(rest) != len(all)-i-1 || len(rest) > 0 && rest[0].Ref != all[i+1].Ref {
			t.Errorf("List after number %d of %d yields %d", i+1, len(all), len(rest))
		}
	}
	for range b.List(context.Background(), "") {
		break // an engine must bear a loop that ends early
	}
}

func listAfterAnything(t *testing.T, c Config) {
	b := c.New(t)
	for i := range 5 {
		put(t, b, octets(uint64(i), 10), -1)
	}
	all := list(t, b, "")
	for _, after := range []blob.Ref{"!", "~", all[2].Ref + "x", all[2].Ref[:len(all[2].Ref)-1]} {
		want := 0
		for _, info := range all {
			if info.Ref > after {
				want++
			}
		}
		if got := list(t, b, after); len(got) != want {
			t.Errorf("List after %q yields %d, want %d", after, len(got), want)
		}
	}
}

// listWhileChanging changes everything inside the loop: no lock may be held
// there.
func listWhileChanging(t *testing.T, c Config) {
	b := c.New(t)
	first := put(t, b, octets(1, 100), -1)
	for i := range 9 {
		put(t, b, octets(uint64(i), 100), -1)
	}
	last := list(t, b, "")[9].Ref
	seen := map[blob.Ref]int{}
	for info, err := range b.List(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen[info.Ref]++
		if info.Ref != first && info.Ref != last {
			if err := b.Delete(context.Background(), info.Ref); err != nil {
				t.Fatal(err)
			}
		}
		if len(seen) <= 10 { // else the loop may follow its own tail for ever
			put(t, b, octets(2, 100), -1)
		}
		wantData(t, b, first, octets(1, 100))
	}
	if seen[first] != 1 || seen[last] != 1 {
		t.Errorf("blobs that were there all the time were seen %d and %d times", seen[first], seen[last])
	}
}

func createdNotEarly(t *testing.T, c Config) {
	b := c.New(t)
	before := time.Now()
	for _, n := range sizes {
		put(t, b, octets(1, n), -1)
	}
	after := time.Now().Add(time.Second)
	for _, info := range list(t, b, "") {
		if info.Created.Before(before) || info.Created.After(after) {
			t.Errorf("%s of %d octets was created at %v, not within %v and %v", info.Ref, info.Size, info.Created, before, after)
		}
	}
}
