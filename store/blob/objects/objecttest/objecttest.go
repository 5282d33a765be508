// Package objecttest judges an implementation of objects.Store against its
// contract, and has one in memory, [Mem], for tests:
//
//	func TestObjects(t *testing.T) {
//		objecttest.Run(t, func(t *testing.T) objects.Lister { return mine.New(t) })
//	}
//
// Each subtest is named after what it asks for.
package objecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/store/blob/objects"
)

// Run runs the suite. New returns an empty store; it registers its own
// clean-up with t.
func Run(t *testing.T, New func(t *testing.T) objects.Lister) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, objects.Lister)
	}{
		{"GetWhatWasPut", getWhatWasPut},
		{"GetRanges", getRanges},
		{"PutAgainIsTheSame", putAgain},
		{"PutOtherIsErrExists", putOther},
		{"Missing", missing},
		{"StatHasSums", statHasSums},
		{"DeleteIsDelete", deleteIsDelete},
		{"ListInOrder", listInOrder},
		{"ContextCancelled", cancelled},
		{"Concurrent", concurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, New(t)) })
	}
}

// Octets makes n octets that differ for each seed.
func Octets(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

func put(t *testing.T, s objects.Store, key string, p []byte) {
	t.Helper()
	if err := tryPut(s, key, p); err != nil {
		t.Fatalf("Put of %d octets: %v", len(p), err)
	}
}

func tryPut(s objects.Store, key string, p []byte) error {
	o := objects.Object{Key: key, Size: int64(len(p)), Sums: objects.SumsOf(p)}
	return s.Put(context.Background(), o, bytes.NewReader(p))
}

func get(s objects.Store, key string, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	err := s.Get(context.Background(), key, p, off)
	return p, err
}

func getWhatWasPut(t *testing.T, s objects.Lister) {
	for i, n := range []int{0, 1, 4096, 65536, 300_001, 3 << 20} {
		key := fmt.Sprintf("get/%d", i)
		want := Octets(uint64(i), n)
		put(t, s, key, want)
		if n == 0 {
			continue // nobody gets nothing
		}
		if got, err := get(s, key, 0, n); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d octets differ: %v", n, err)
		}
	}
}

func getRanges(t *testing.T, s objects.Lister) {
	want := Octets(1, 100_000)
	put(t, s, "ranges", want)
	for _, r := range []struct {
		off int64
		n   int
	}{{0, 1}, {99_999, 1}, {50_000, 50_000}, {12_345, 999}} {
		got, err := get(s, "ranges", r.off, r.n)
		if err != nil || !bytes.Equal(got, want[r.off:r.off+int64(r.n)]) {
			t.Errorf("%d octets from %d differ: %v", r.n, r.off, err)
		}
	}
	for _, off := range []int64{99_990, 100_000, 200_000} {
		if _, err := get(s, "ranges", off, 20); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("20 octets from %d of 100000: %v, want ErrUnexpectedEOF", off, err)
		}
	}
}

func putAgain(t *testing.T, s objects.Lister) {
	for _, n := range []int{0, 10, 200_000} {
		key := fmt.Sprintf("again/%d", n)
		put(t, s, key, Octets(1, n))
		put(t, s, key, Octets(1, n))
	}
}

func putOther(t *testing.T, s objects.Lister) {
	put(t, s, "taken", Octets(1, 1000))
	for _, other := range [][]byte{Octets(2, 1000), Octets(1, 999), nil} {
		if err := tryPut(s, "taken", other); !errors.Is(err, objects.ErrExists) {
			t.Errorf("Put of %d other octets: %v, want ErrExists", len(other), err)
		}
	}
	if got, err := get(s, "taken", 0, 1000); err != nil || !bytes.Equal(got, Octets(1, 1000)) {
		t.Errorf("the object changed: %v", err)
	}
}

func missing(t *testing.T, s objects.Lister) {
	if _, err := get(s, "no/such", 0, 10); !errors.Is(err, objects.ErrNoObject) {
		t.Errorf("Get: %v, want ErrNoObject", err)
	}
	if _, err := s.Stat(context.Background(), "no/such"); !errors.Is(err, objects.ErrNoObject) {
		t.Errorf("Stat: %v, want ErrNoObject", err)
	}
}

func statHasSums(t *testing.T, s objects.Lister) {
	for i, n := range []int{0, 1, 600_000} {
		key := fmt.Sprintf("stat/%d", i)
		p := Octets(uint64(i), n)
		put(t, s, key, p)
		o, err := s.Stat(context.Background(), key)
		want := objects.SumsOf(p)
		if err != nil || o.Key != key || o.Size != int64(n) || o.Sums.String() != want.String() {
			t.Errorf("%+v, %v; want %d octets, %v", o, err, n, want)
		}
		if o.Modified.IsZero() {
			t.Error("Modified is missing")
		}
	}
}

func deleteIsDelete(t *testing.T, s objects.Lister) {
	ctx := context.Background()
	var gone []string
	for i := range 12 {
		key := fmt.Sprintf("delete/%02d", i)
		put(t, s, key, Octets(1, 10))
		if i%2 == 0 {
			gone = append(gone, key)
		}
	}
	for range 2 { // again is not an error
		if err := s.Delete(ctx, append(gone, "delete/never")...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(ctx); err != nil {
		t.Errorf("nothing: %v", err)
	}
	for i := range 12 {
		_, err := s.Stat(ctx, fmt.Sprintf("delete/%02d", i))
		if want := i%2 == 0; errors.Is(err, objects.ErrNoObject) != want {
			t.Errorf("object %d: %v; gone: %v", i, err, want)
		}
	}
}

func listInOrder(t *testing.T, s objects.Lister) {
	keys := []string{"a-", "a.b", "a/0", "a/1.2", "a/1.3", "a/10", "b/1", "ba"}
	for i, key := range keys {
		put(t, s, key, Octets(1, i))
	}
	for _, c := range []struct{ prefix, after string }{
		{"", ""}, {"a/", ""}, {"a/", "a/1.2"}, {"a/", "a/1.25"}, {"a/", "a/~"}, {"", "a/10"}, {"c", ""},
	} {
		var want, got []string
		for _, key := range keys {
			if len(key) >= len(c.prefix) && key[:len(c.prefix)] == c.prefix && key > c.after {
				want = append(want, key)
			}
		}
		for o, err := range s.List(context.Background(), c.prefix, c.after) {
			if err != nil {
				t.Fatal(err)
			}
			if o.Size != int64(slices.Index(keys, o.Key)) {
				t.Errorf("%s has %d octets", o.Key, o.Size)
			}
			got = append(got, o.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("prefix %q after %q: %q, want %q", c.prefix, c.after, got, want)
		}
	}
	for range s.List(context.Background(), "", "") {
		break // a loop may end early
	}
}

func cancelled(t *testing.T, s objects.Lister) {
	put(t, s, "there", Octets(1, 10))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := Octets(1, 10)
	_, statErr := s.Stat(ctx, "there")
	var listErr error
	for _, err := range s.List(ctx, "", "") {
		listErr = err
	}
	for what, err := range map[string]error{
		"Put":  s.Put(ctx, objects.Object{Key: "x", Size: 10, Sums: objects.SumsOf(p)}, bytes.NewReader(p)),
		"Get":  s.Get(ctx, "there", make([]byte, 10), 0),
		"Stat": statErr, "List": listErr,
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v, want context.Canceled", what, err)
		}
	}
}

func concurrent(t *testing.T, s objects.Lister) {
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 8 {
				key, want := fmt.Sprintf("concurrent/%d/%d", g, i), Octets(uint64(g*100+i), 20_000+i)
				if err := tryPut(s, key, want); err != nil {
					t.Error(err)
				}
				if got, err := get(s, key, 0, len(want)); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s differs: %v", key, err)
				}
			}
		})
	}
	wg.Wait()
}
