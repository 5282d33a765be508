package cluster

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/s3/s3test"
	"github.com/mailstead/mailstead/store/sqlblob"
)

// TestStorm writes through a proxy where every second request meets a fault. What
// was acknowledged is there, octet for octet; what failed is not listed; and
// after a sweep the bucket has the objects of the blobs and no others.
func TestStorm(t *testing.T) {
	p, c := faulty(t)
	c.Attempts = 2
	s, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	b := catalogue(t, onSQLite(t).open(t), s, sqlblob.Options{Threshold: -1, GoneFor: -1, Now: now})
	faults := []fault{refuse(503, "SlowDown"), refuse(500, "InternalError"), cut, lose, late, truncate}
	p.sometimes(func(*http.Request) fault {
		if rand.IntN(2) > 0 {
			return nil
		}
		return faults[rand.IntN(len(faults))]
	})
	kept := write(t, b, 4, 12)
	p.sometimes(nil)
	verify(t, b, kept)
	ahead.Store(int64(48 * time.Hour))
	if _, err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameObjects(t, s, len(kept))
}

// write commits n blobs from each of several goroutines, and returns those that
// were acknowledged.
func write(t *testing.T, b blob.Blobs, writers, n int) map[blob.Ref][]byte {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var failed atomic.Int64
	kept := map[blob.Ref][]byte{}
	for w := range writers {
		wg.Go(func() {
			for i := range n {
				body := objecttest.Octets(uint64(w*1000+i), 1000+rand.IntN(400_000))
				ref, err := tryPut(context.Background(), b, body)
				if err != nil {
					failed.Add(1)
					continue
				}
				mu.Lock()
				kept[ref] = body
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	t.Logf("%d acknowledged, %d failed", len(kept), failed.Load())
	return kept
}

func verify(t *testing.T, b blob.Blobs, kept map[blob.Ref][]byte) {
	t.Helper()
	for ref, body := range kept {
		if err := whole(b, ref, body); err != nil {
			t.Errorf("%s was acknowledged: %v", ref, err)
		}
	}
	for info, err := range b.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if kept[info.Ref] == nil {
			t.Errorf("%s is listed, and was not acknowledged", info.Ref)
		}
	}
}

func sameObjects(t *testing.T, s *s3.Store, want int) {
	t.Helper()
	var keys []string
	for o, err := range s.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	if len(keys) != want || !slices.IsSorted(keys) {
		t.Errorf("%d objects in the bucket, want %d", len(keys), want)
	}
}

// TestServerKilled kills the S3 server in mid-load, again and again: writes fail
// meanwhile, and what was acknowledged is there afterwards.
func TestServerKilled(t *testing.T) {
	server := s3test.Start(t)
	c := s3test.Bucket(t, server)
	c.Timeout, c.Attempts = 2*time.Second, 2
	s, err := s3.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	b := catalogue(t, onSQLite(t).open(t), s, sqlblob.Options{Threshold: -1})
	kept := map[blob.Ref][]byte{}
	for round := range 3 {
		done := make(chan map[blob.Ref][]byte)
		started := make(chan struct{})
		go func() {
			first := write(t, b, 1, 1)
			close(started)
			more := write(t, b, 4, 10)
			for ref, body := range first {
				more[ref] = body
			}
			done <- more
		}()
		<-started
		server.Kill(t)
		server.Restart(t)
		some := <-done
		if len(some) == 0 {
			t.Errorf("round %d: nothing was acknowledged", round)
		}
		for ref, body := range some {
			kept[ref] = body
		}
	}
	verify(t, b, kept)
}

// TestTwoNodes: what one node writes the other reads, and after one has deleted
// it, it is gone for both.
func TestTwoNodes(t *testing.T) {
	engines(t, func(t *testing.T, d *database) {
		c := s3test.Bucket(t, gw.Server(t))
		node := func() blob.Blobs {
			s, err := s3.New(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			return catalogue(t, d.open(t), s, sqlblob.Options{})
		}
		one, two := node(), node()
		for i, n := range []int{0, 10, 64 << 10, 64<<10 + 1, 3 << 20} {
			body := objecttest.Octets(uint64(i), n)
			ref := put(t, one, body)
			o, err := two.Open(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if err := one.Delete(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, o.Size())
			if _, err := o.ReadAt(got, 0); n > 0 && err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d octets: what was open on the other node differs: %v", n, err)
			}
			o.Close()
			if _, err := two.Open(t.Context(), ref); err == nil {
				t.Errorf("%d octets are there after their deletion", n)
			}
		}
	})
}
