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
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mailstead/mailstead/store/blob"
)

// Config says how to make what is judged.
type Config struct {
	// New returns an empty Blobs; it registers its own clean-up with t.
	New func(t *testing.T) blob.Blobs

	// Reopen ends b and returns a Blobs with the same content, as a restart
	// of the process does. Nil where nothing survives a restart.
	Reopen func(t *testing.T, b blob.Blobs) blob.Blobs

	// StoredSize: Info.Size is what a blob takes, not its length.
	StoredSize bool
}

// Run runs the suite. Of blobs that have a key (blob.Keyed) it keeps the keys.
func Run(t *testing.T, c Config) {
	c = withKeys(c)
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
