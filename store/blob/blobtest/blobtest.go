// Package blobtest judges an implementation of blob.Blobs against the
// invariants of package blob:
//
//	func TestBlobs(t *testing.T) {
//		blobtest.Run(t, blobtest.Config{
//			New: func(t *testing.T) blob.Blobs { return mine.New(t.TempDir()) },
//		})
//	}
//
// Each subtest is named after what it asks for.
package blobtest

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
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// Config says how to make what is judged.
type Config struct {
	// New returns an empty Blobs; it registers its own clean-up with t.
	New func(t *testing.T) blob.Blobs

	// Reopen ends b and returns a Blobs with the same content, as a restart
	// of the process does. Nil where nothing survives a restart.
	Reopen func(t *testing.T, b blob.Blobs) blob.Blobs
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	for _, s := range []struct {
		name string
		run  func(*testing.T, Config)
	}{
		{"I1_RefsDiffer", refsDiffer},
		{"I2_CommitSurvivesReopen", survivesReopen},
		{"I3_ReadWhatWasWritten", readBack},
		{"I3_ReadAtEdges", readAtEdges},
		{"I4_ListInOrder", listInOrder},
		{"I4_ListAfterAnything", listAfterAnything},
		{"I4_ListWhileChanging", listWhileChanging},
		{"I5_OpenSurvivesDelete", openSurvivesDelete},
		{"I6_DeleteIsDelete", deleted},
		{"WriterSize", writerSize},
		{"WriterAbort", writerAbort},
		{"ContextCancelled", cancelled},
		{"UnknownRef", unknownRef},
		{"CreatedIsNeverEarly", createdNotEarly},
		{"Concurrent", concurrent},
		{"SlowWriterBlocksNobody", slowWriter},
	} {
		t.Run(s.name, func(t *testing.T) { s.run(t, c) })
	}
}

// sizes reach from nothing over the usual mail to more than any buffer.
var sizes = [...]int{0, 1, 7, 8, 4096, 65535, 65536, 65537, 300_000, 1<<20 + 1, 3 << 20}

// octets makes n octets that differ for each seed.
func octets(seed uint64, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b)
	return b
}

// put commits data, written in uneven pieces.
func put(t *testing.T, b blob.Blobs, data []byte, announced int64) blob.Ref {
	t.Helper()
	ref, err := tryPut(b, data, announced)
	if err != nil {
		t.Fatalf("commit of %d octets: %v", len(data), err)
	}
	if len(ref) == 0 || len(ref) > 128 || slices.ContainsFunc([]byte(ref), func(c byte) bool { return c <= ' ' || c > '~' }) {
		t.Fatalf("Ref %q is not 1..128 printable ASCII octets", ref)
	}
	return ref
}

func tryPut(b blob.Blobs, data []byte, announced int64) (blob.Ref, error) {
	ctx := context.Background()
	w, err := b.Create(ctx, announced)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	for rest, n := data, 1; len(rest) > 0; n = n*3 + 1 {
		n = min(n, len(rest), 100_000)
		if m, err := w.Write(rest[:n]); err != nil || m != n {
			return "", fmt.Errorf("Write = %d, %w", m, err)
		}
		rest = rest[n:]
	}
	return w.Commit(ctx)
}

func get(b blob.Blobs, ref blob.Ref) ([]byte, error) {
	o, err := b.Open(context.Background(), ref)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err == nil && int64(len(data)) != o.Size() {
		err = fmt.Errorf("Size is %d, but %d octets came", o.Size(), len(data))
	}
	return data, err
}

func wantData(t *testing.T, b blob.Blobs, ref blob.Ref, want []byte) {
	t.Helper()
	got, err := get(b, ref)
	if err != nil {
		t.Fatalf("Open(%s): %v", ref, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("Open(%s): %d octets differ from the %d written", ref, len(got), len(want))
	}
}

func refsDiffer(t *testing.T, c Config) {
	b := c.New(t)
	seen := map[blob.Ref]bool{}
	for range 20 {
		ref := put(t, b, []byte("the same octets"), -1)
		if seen[ref] {
			t.Fatalf("Ref %s was given twice", ref)
		}
		seen[ref] = true
		if err := b.Delete(context.Background(), ref); err != nil {
			t.Fatal(err)
		}
	}
	if c.Reopen == nil {
		return
	}
	b = c.Reopen(t, b)
	if ref := put(t, b, []byte("the same octets"), -1); seen[ref] {
		t.Fatalf("Ref %s was given again after a restart", ref)
	}
}

func survivesReopen(t *testing.T, c Config) {
	if c.Reopen == nil {
		t.Skip("nothing survives a restart")
	}
	b := c.New(t)
	want := map[blob.Ref][]byte{}
	for round := range 3 {
		for i, n := range sizes {
			data := octets(uint64(round*100+i), n)
			want[put(t, b, data, int64(n))] = data
		}
		b = c.Reopen(t, b)
		for ref, data := range want {
			wantData(t, b, ref, data)
		}
		if got := list(t, b, ""); len(got) != len(want) {
			t.Fatalf("%d blobs listed, %d committed", len(got), len(want))
		}
	}
}

func readBack(t *testing.T, c Config) {
	b := c.New(t)
	for i, n := range sizes {
		data := octets(uint64(i), n)
		wantData(t, b, put(t, b, data, -1), data)
		wantData(t, b, put(t, b, data, int64(n)), data)
	}
}

func readAtEdges(t *testing.T, c Config) {
	b := c.New(t)
	for _, n := range []int{100, 200_000, 2 << 20} {
		data := octets(9, n)
		o, err := b.Open(context.Background(), put(t, b, data, -1))
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 10)
		if m, err := o.ReadAt(p, int64(n)-10); m != 10 || err != nil && err != io.EOF || !bytes.Equal(p, data[n-10:]) {
			t.Errorf("ReadAt of the last 10 of %d = %d, %v", n, m, err)
		}
		if m, err := o.ReadAt(p, int64(n)-4); m != 4 || err != io.EOF || !bytes.Equal(p[:4], data[n-4:]) {
			t.Errorf("ReadAt beyond the end of %d = %d, %v; want 4, EOF", n, m, err)
		}
		if m, err := o.ReadAt(p, int64(n)); m != 0 || err != io.EOF {
			t.Errorf("ReadAt at the end of %d = %d, %v; want 0, EOF", n, m, err)
		}
		if _, err := o.ReadAt(p, -1); err == nil || err == io.EOF {
			t.Errorf("ReadAt(-1) = %v; want an error", err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
		if _, err := o.ReadAt(p, 0); err == nil {
			t.Error("ReadAt after Close: want an error")
		}
	}
}

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
		if n, ok := want[info.Ref]; !ok || int64(n) != info.Size {
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

func openSurvivesDelete(t *testing.T, c Config) {
	b := c.New(t)
	for _, n := range sizes {
		data := octets(3, n)
		ref := put(t, b, data, -1)
		o, err := b.Open(context.Background(), ref)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Delete(context.Background(), ref); err != nil {
			t.Fatal(err)
		}
		put(t, b, octets(4, n), -1)
		got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("an open blob of %d octets changed with Delete: %v", n, err)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

func deleted(t *testing.T, c Config) {
	ctx := context.Background()
	b := c.New(t)
	var gone, kept []blob.Ref
	for i := range 30 {
		ref := put(t, b, octets(uint64(i), sizes[i%len(sizes)]), -1)
		if i%2 == 0 {
			gone = append(gone, ref)
		} else {
			kept = append(kept, ref)
		}
	}
	if err := b.Delete(ctx, gone...); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, gone...); err != nil {
		t.Fatalf("deleting again: %v", err)
	}
	check := func() {
		t.Helper()
		for _, ref := range gone {
			if _, err := b.Open(ctx, ref); !errors.Is(err, blob.ErrNoBlob) {
				t.Errorf("Open of the deleted %s: %v, want ErrNoBlob", ref, err)
			}
		}
		var got []blob.Ref
		for _, info := range list(t, b, "") {
			got = append(got, info.Ref)
		}
		slices.Sort(kept)
		if !slices.Equal(got, kept) {
			t.Errorf("%d blobs are listed, want %d", len(got), len(kept))
		}
	}
	check()
	if c.Reopen != nil {
		b = c.Reopen(t, b)
		check()
	}
}

func writerSize(t *testing.T, c Config) {
	b := c.New(t)
	for _, n := range sizes {
		if _, err := tryPut(b, octets(1, n), int64(n)+1); !errors.Is(err, blob.ErrSize) {
			t.Errorf("one octet of %d is missing: %v, want ErrSize", n+1, err)
		}
		if n == 0 {
			continue
		}
		w, err := b.Create(context.Background(), int64(n)-1)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(octets(1, n-1))
		w.Write([]byte("x")) // may fail here already
		if _, err := w.Commit(context.Background()); !errors.Is(err, blob.ErrSize) {
			t.Errorf("one octet more than %d: %v, want ErrSize", n-1, err)
		}
		w.Abort()
	}
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("%d blobs came from writers that failed", len(got))
	}
}

func writerAbort(t *testing.T, c Config) {
	ctx := context.Background()
	b := c.New(t)
	for _, n := range sizes {
		w, err := b.Create(ctx, -1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(octets(1, n)); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		w.Abort()
		if _, err := w.Write([]byte("x")); err == nil {
			t.Error("Write after Abort: want an error")
		}
		if _, err := w.Commit(ctx); err == nil {
			t.Error("Commit after Abort: want an error")
		}
	}
	if got := list(t, b, ""); len(got) != 0 {
		t.Errorf("%d blobs came from aborted writers", len(got))
	}
	w, err := b.Create(ctx, -1)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("kept"))
	ref, err := w.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	w.Abort() // no effect now
	if _, err := w.Commit(ctx); err == nil {
		t.Error("second Commit: want an error")
	}
	wantData(t, b, ref, []byte("kept"))
}

func cancelled(t *testing.T, c Config) {
	b := c.New(t)
	ctx, cancel := context.WithCancel(context.Background())
	w, err := b.Create(ctx, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	w.Write([]byte("octets"))
	ref := put(t, b, []byte("other"), -1)
	cancel()
	if _, err := w.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v, want context.Canceled", err)
	}
	if _, err := b.Create(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Create: %v, want context.Canceled", err)
	}
	if _, err := b.Open(ctx, ref); !errors.Is(err, context.Canceled) {
		t.Errorf("Open: %v, want context.Canceled", err)
	}
	var last error
	for _, err := range b.List(ctx, "") {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("List: %v, want context.Canceled", last)
	}
}

func unknownRef(t *testing.T, c Config) {
	b := c.New(t)
	ref := put(t, b, []byte("octets"), -1)
	for _, bad := range []blob.Ref{"", "nonsense", ref + "0", ref[1:], "../../etc/passwd"} {
		if _, err := b.Open(context.Background(), bad); !errors.Is(err, blob.ErrNoBlob) {
			t.Errorf("Open(%q): %v, want ErrNoBlob", bad, err)
		}
		if err := b.Delete(context.Background(), bad); err != nil {
			t.Errorf("Delete(%q): %v", bad, err)
		}
	}
	wantData(t, b, ref, []byte("octets"))
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

func concurrent(t *testing.T, c Config) {
	b := c.New(t)
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 20 {
				data := octets(uint64(g*1000+i), sizes[(g+i)%8])
				ref, err := tryPut(b, data, -1)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := get(b, ref)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s differs: %v", ref, err)
				}
				if i%3 == 0 {
					if err := b.Delete(context.Background(), ref); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if got, want := len(list(t, b, "")), 16*13; got != want {
		t.Errorf("%d blobs are left, want %d", got, want)
	}
}

// slowWriter keeps writers of every size half way open while others commit.
func slowWriter(t *testing.T, c Config) {
	ctx := context.Background()
	b := c.New(t)
	var slow []blob.Writer
	for _, n := range sizes {
		w, err := b.Create(ctx, -1)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(octets(1, n))
		slow = append(slow, w)
	}
	for i, n := range sizes {
		data := octets(uint64(i), n)
		wantData(t, b, put(t, b, data, -1), data)
	}
	for i, w := range slow {
		ref, err := w.Commit(ctx)
		if err != nil {
			t.Fatal(err)
		}
		wantData(t, b, ref, octets(1, sizes[i]))
	}
}
