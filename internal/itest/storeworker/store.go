package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/mailstead/mailstead/store"
)

// system is a file-backed store as the worker meets it.
type system interface {
	store.Store

	// Background does what runs beside the work, collection and compaction,
	// until it fails.
	Background(ctx context.Context) error

	// Whole checks the store with itself, and returns the first fault.
	Whole(ctx context.Context) error
}

// opener opens the data directory dir. control: with a sync left out.
type opener func(ctx context.Context, dir string, control bool) (system, error)

// storeEngine is the engine of a file-backed store.
func storeEngine(open opener) engine {
	return engine{
		run: func(ctx context.Context, dir string, control bool) error {
			s, err := open(ctx, dir, control)
			if err != nil {
				return err
			}
			defer s.Close()
			return work(ctx, s)
		},
		verify: func(ctx context.Context, dir string, lines io.Reader) error {
			m, err := readModel(lines)
			if err != nil {
				return err
			}
			s, err := open(ctx, dir, false)
			if err != nil {
				return err
			}
			if err := s.Whole(ctx); err != nil {
				return errors.Join(err, s.Close())
			}
			return errors.Join(m.verify(ctx, s), s.Close())
		},
	}
}

const (
	accounts = 4
	workers  = 3 // per account, each with mailboxes of its own
)

// work changes the store until the process is killed.
func work(ctx context.Context, s system) error {
	var wg sync.WaitGroup
	errs := make(chan error, accounts*workers+1)
	for i := range accounts {
		id := store.AccountID("account" + strconv.Itoa(i))
		if err := s.Create(ctx, id, store.AccountInfo{}); err != nil {
			return err
		}
		a, err := s.Open(ctx, id)
		if err != nil {
			return err
		}
		for n := range workers {
			w := &worker{s: s, a: a, id: id, key: "key" + strconv.Itoa(n)}
			wg.Go(func() { errs <- w.work(ctx) })
		}
	}
	wg.Go(func() { errs <- s.Background(ctx) })
	return <-errs
}

// seeds counts from somewhere: two drawn at random would be equal once in a
// hundred runs, which looks like a message delivered twice.
var seeds = func() *atomic.Uint32 {
	n := new(atomic.Uint32)
	n.Store(rand.Uint32())
	return n
}()

// newSeed returns a seed that no message of this process has.
func newSeed() uint32 { return seeds.Add(1) }

// body is the message that follows from seed: a few octets to 64 KiB, and now
// and then some hundred KiB.
func body(seed uint32) []byte {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	b := fmt.Appendf(nil, "Subject: %d\r\n\r\n", seed)
	n := 1 << r.IntN(17)
	if seed%64 == 0 {
		n = 100<<10 + r.IntN(300<<10)
	}
	for len(b) < n {
		b = fmt.Appendf(b, "%016x\r\n", r.Uint64())
	}
	return b
}

// seedOf is the seed of a message, which must be whole.
func seedOf(b []byte) (uint32, error) {
	var seed uint32
	if _, err := fmt.Sscanf(string(b), "Subject: %d", &seed); err != nil {
		return 0, err
	}
	if !bytes.Equal(b, body(seed)) {
		return seed, fmt.Errorf("message %d is torn", seed)
	}
	return seed, nil
}

// say tells in one write what was acknowledged: to the file that POWERCUT_ACKS
// names, so that a line counts from the moment it is said, else to the standard
// output, where it counts when it is read.
func say(format string, args ...any) error {
	line := fmt.Sprintf(format, args...) + "\n"
	out, err := acks()
	if err == nil {
		_, err = out.WriteString(line)
	}
	return err
}

// acks is where lines go.
var acks = sync.OnceValues(func() (*os.File, error) {
	if name := os.Getenv("POWERCUT_ACKS"); name != "" {
		return os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	}
	return os.Stdout, nil
})
