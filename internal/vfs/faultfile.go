package vfs

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// faultFile asks before each operation of a file.
type faultFile struct {
	File
	fault *Fault
	name  string
}

func (f *faultFile) Read(p []byte) (int, error) {
	if err := f.fault.ask(Op{Kind: OpRead, Name: f.name, Len: len(p)}); err != nil {
		return 0, pathError("read", f.name, err)
	}
	return f.File.Read(p)
}

func (f *faultFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fault.ask(Op{Kind: OpRead, Name: f.name, Off: off, Len: len(p)}); err != nil {
		return 0, pathError("read", f.name, err)
	}
	return f.File.ReadAt(p, off)
}

func (f *faultFile) Write(p []byte) (int, error) {
	err := f.fault.ask(Op{Kind: OpWrite, Name: f.name, Len: len(p)})
	if err == nil {
		return f.File.Write(p)
	}
	n := f.partial(err, p, f.File.Write)
	return n, pathError("write", f.name, err)
}

func (f *faultFile) WriteAt(p []byte, off int64) (int, error) {
	err := f.fault.ask(Op{Kind: OpWrite, Name: f.name, Off: off, Len: len(p)})
	if err == nil {
		return f.File.WriteAt(p, off)
	}
	n := f.partial(err, p, func(p []byte) (int, error) { return f.File.WriteAt(p, off) })
	return n, pathError("write", f.name, err)
}

// partial does what a PartialError allows of a write.
func (f *faultFile) partial(err error, p []byte, write func([]byte) (int, error)) int {
	var part *PartialError
	if !errors.As(err, &part) || part.N <= 0 {
		return 0
	}
	n, _ := write(p[:min(part.N, len(p))])
	return n
}

// Sync that is refused loses, in a Mem, what was not durable: see
// memFile.loseUnsynced. After ErrCrashed there is no kernel left to do that.
func (f *faultFile) Sync() error {
	if err := f.fault.ask(Op{Kind: OpSync, Name: f.name}); err != nil {
		if errors.Is(err, ErrSkipped) {
			return nil
		}
		if m, ok := f.File.(*memFile); ok && !errors.Is(err, ErrCrashed) {
			m.loseUnsynced()
		}
		return pathError("sync", f.name, err)
	}
	return f.File.Sync()
}

func (f *faultFile) Truncate(size int64) error {
	if err := f.fault.ask(Op{Kind: OpTruncate, Name: f.name, Off: size}); err != nil {
		return pathError("truncate", f.name, err)
	}
	return f.File.Truncate(size)
}

func (f *faultFile) Stat() (fs.FileInfo, error) {
	if err := f.fault.ask(Op{Kind: OpStat, Name: f.name}); err != nil {
		return nil, pathError("stat", f.name, err)
	}
	return f.File.Stat()
}

// Close asks, and closes the file whatever the answer is, as close(2) does.
func (f *faultFile) Close() error {
	err := f.fault.ask(Op{Kind: OpClose, Name: f.name})
	if cerr := f.File.Close(); cerr != nil {
		return cerr
	}
	if err != nil {
		return pathError("close", f.name, err)
	}
	return nil
}

// FailAt fails operation k, and no other, with err.
func FailAt(k int, err error) Hook {
	return func(op Op) error {
		if op.N == k {
			return err
		}
		return nil
	}
}

// FailKind fails every operation of one kind with err, from operation k on.
func FailKind(k int, kind Kind, err error) Hook {
	return func(op Op) error {
		if op.N >= k && op.Kind == kind {
			return err
		}
		return nil
	}
}

// CrashAt cuts the power at operation k: it and all later ones return
// ErrCrashed. Of a write at k one half arrives.
func CrashAt(k int) Hook {
	return func(op Op) error {
		switch {
		case op.N < k:
			return nil
		case op.N == k && op.Kind == OpWrite:
			return &PartialError{N: op.Len / 2, Err: ErrCrashed}
		}
		return ErrCrashed
	}
}

// Trace records operations as text, one a line, to be compared with a golden
// file: the order of writes and syncs is what durability rests on. The zero
// value records those that mutate.
type Trace struct {
	// Keep says which operations are recorded; nil keeps those that mutate.
	Keep func(Op) bool

	mu    sync.Mutex
	lines strings.Builder
}

// Hook records an operation and lets it pass.
func (t *Trace) Hook(op Op) error {
	keep := op.Kind.Mutates()
	if t.Keep != nil {
		keep = t.Keep(op)
	}
	if keep {
		t.mu.Lock()
		defer t.mu.Unlock()
		fmt.Fprintln(&t.lines, op)
	}
	return nil
}

// Note adds a line of the test's own.
func (t *Trace) Note(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintln(&t.lines, line)
}

// String returns the trace so far.
func (t *Trace) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lines.String()
}
