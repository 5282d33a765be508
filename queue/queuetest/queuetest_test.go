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

// judge runs one case on a Storage with a fault, in virtual time.
func judge(t *testing.T, k kase, f fault) (why []string) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{TB: t}
		cfg := Config{
			New: func(testing.TB) queue.Storage {
				b := &broken{Storage: &memqueue.Storage{}}
				f.seed(b)
				return b
			},
			Reopen: func(_ testing.TB, s queue.Storage) queue.Storage {
				b := &broken{Storage: s.(*broken).Storage.(*memqueue.Storage).Reopen()}
				f.seed(b)
				return b
			},
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
