package queuetest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
)

// recorder notes a failure in the place of a test.
type recorder struct {
	testing.TB
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skip(...any) { runtime.Goexit() }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failed) > 0
}

// TestFaults: each fault is noticed, by the one case whose promise it breaks.
func TestFaults(t *testing.T) {
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			var caught []string
			for _, k := range cases() {
				if strings.HasPrefix(k.name, "Load/") {
					continue // for what only many jobs or goroutines bring out
				}
				if why := judge(t, k, f); len(why) > 0 {
					caught = append(caught, k.name)
					t.Logf("%s: %s", k.name, why[0])
				}
			}
			if !slices.Equal(caught, []string{f.caught}) {
				t.Errorf("noticed by %q, want %q", caught, f.caught)
			}
		})
	}
}

// node is a Storage with the fault, where that is one of a single node.
func (f *fault) node(s *memqueue.Storage) *broken {
	b := &broken{Storage: s}
	if f.seed != nil {
		f.seed(b)
	}
	return b
}

// cluster is n nodes, with the fault where that is one of several.
func (f *fault) cluster(n int) (out []queue.Storage) {
	s := &memqueue.Storage{}
	var bs []*broken
	for range n {
		bs = append(bs, &broken{Storage: s})
		out = append(out, bs[len(bs)-1])
	}
	if f.nodes != nil {
		f.nodes(bs)
	}
	return out
}

// judge runs one case on a Storage with a fault, in virtual time.
func judge(t *testing.T, k kase, f fault) (why []string) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		cfg := Config{
			KeepsLeases: f.keepsLeases,
			New:         func(testing.TB) queue.Storage { return f.node(&memqueue.Storage{}) },
			Reopen: func(_ testing.TB, s queue.Storage) queue.Storage {
				return f.node(s.(*broken).Storage.(*memqueue.Storage).Reopen())
			},
			Nodes: func(_ testing.TB, n int) []queue.Storage { return f.cluster(n) },
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			k.run(r, cfg)
		}()
		<-done
		why = r.failed
	})
	return why
}
