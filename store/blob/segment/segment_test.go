package segment_test

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/segment"
)

var discard = slog.New(slog.DiscardHandler)

// testTempDir is a directory for stores: in memory where the machine has
// that, because the tests with real files are about logic, not about disks.
func testTempDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "segment-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func open(t testing.TB, dir string, o segment.Options) *segment.Store {
	t.Helper()
	if o.Logger == nil {
		o.Logger = discard
	}
	s, err := segment.Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestBlobs judges the engine with the default limits and with tiny ones,
// under which everything rolls over, spools and evicts all the time.
func TestBlobs(t *testing.T) {
	for name, o := range map[string]segment.Options{
		"default": {},
		"tiny":    {SegmentSize: 256 << 10, MaxShared: 64 << 10, MaxBuffered: 16 << 10, MaxOpenFiles: 2},
	} {
		t.Run(name, func(t *testing.T) {
			dirs := map[blob.Blobs]string{}
			openAt := func(t *testing.T, dir string) blob.Blobs {
				s := open(t, dir, o)
				dirs[s] = dir
				return s
			}
			blobtest.Run(t, blobtest.Config{
				New: func(t *testing.T) blob.Blobs { return openAt(t, testTempDir(t)) },
				Reopen: func(t *testing.T, b blob.Blobs) blob.Blobs {
					s := b.(*segment.Store)
					rep, err := s.Verify(context.Background())
					if err != nil {
						t.Errorf("Verify: %v (%+v)", err, rep)
					}
					if _, err := s.Compact(context.Background()); err != nil {
						t.Errorf("Compact: %v", err)
					}
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					return openAt(t, dirs[b])
				},
			})
		})
	}
}
