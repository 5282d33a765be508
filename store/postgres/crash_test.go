package postgres_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

// rounds is how often something is killed.
func rounds() int {
	switch {
	case os.Getenv("MAILSTEAD_FULL") != "":
		return 40
	case testing.Short():
		return 2
	}
	return 3
}

// TestServerDies: the server is killed, and stopped at once, under the load of
// two nodes. Nothing acknowledged is lost, nothing is there twice, and the nodes
// go on by themselves.
func TestServerDies(t *testing.T) {
	for _, how := range []struct {
		name string
		die  func(*pgtest.Server, testing.TB)
	}{
		{"kill", (*pgtest.Server).Kill},
		{"immediate", func(s *pgtest.Server, t testing.TB) { s.Stop(t, pgtest.Immediate) }},
		{"fast", func(s *pgtest.Server, t testing.TB) { s.Stop(t, pgtest.Fast) }},
	} {
		t.Run(how.name, func(t *testing.T) {
			s := pgtest.Start(t)
			dsn := pgtest.Database(t, s)
			first := open(t, dsn, refBlobs{}, safe)
			second := open(t, dsn, refBlobs{}, safe)
			l := startLoad(t, []*opened{first, second}, 6)
			for range rounds() {
				l.grow(t, 60)
				how.die(s, t)
				s.Start(t)
			}
			l.grow(t, 60)
			l.end(t, first, second)
		})
	}
}

func safe(o *postgres.Options) { o.Unsafe = false }

// TestNodeDies: a node is killed under load beside another one.
func TestNodeDies(t *testing.T) {
	if dsn := os.Getenv("POSTGRES_TEST_NODE"); dsn != "" {
		node(t, dsn)
		return
	}
	s := fresh(t)
	other := open(t, s.dsn, refBlobs{})
	l := startLoad(t, []*opened{other}, 4)
	for i := range rounds() {
		killNode(t, l, s.dsn, i)
	}
	l.grow(t, 20)
	l.end(t, other)
}

// killNode runs a node that delivers to the accounts of l, kills it, and adds
// what it acknowledged. What it was about is tried again by this process, as
// the next owner of its queue would.
func killNode(t *testing.T, l *load, dsn string, round int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestNodeDies$", "-test.v")
	cmd.Env = append(os.Environ(), "POSTGRES_TEST_NODE="+dsn, fmt.Sprint("POSTGRES_TEST_ROUND=", round))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked, tried := 0, map[string]string{}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		word, rest, _ := strings.Cut(lines.Text(), " ")
		email, body, _ := strings.Cut(rest, " ")
		switch word {
		case "try":
			tried[body] = email
		case "ack":
			l.note(t, email, body)
			delete(tried, body)
			if acked++; acked == 40 {
				_ = cmd.Process.Kill() // SIGKILL
			}
		}
	}
	if err := cmd.Wait(); err == nil || acked < 40 {
		t.Fatalf("the node ended by itself after %d messages: %v", acked, err)
	}
	l.again(t, dsn, tried)
}

func parseEmail(t *testing.T, text string) (id store.EmailID) {
	t.Helper()
	if n, err := hex.Decode(id[:], []byte(text)); err != nil || n != len(id) {
		t.Fatalf("email id %q: %v", text, err)
	}
	return id
}

// note adds what another process acknowledged.
func (l *load) note(t *testing.T, email, body string) {
	t.Helper()
	id, _, _ := strings.Cut(body, " ")
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[store.AccountID(id)][parseEmail(t, email)] = body
}

// again delivers what a dead node was about.
func (l *load) again(t *testing.T, dsn string, tried map[string]string) {
	t.Helper()
	s := open(t, dsn, refBlobs{})
	for body, email := range tried {
		id, _, _ := strings.Cut(body, " ")
		a, inbox := inboxOf(t, s, store.AccountID(id))
		op := appendTo(t, refBlobs{}, inbox, body)
		op.EmailID = parseEmail(t, email)
		if _, err := deliver(t.Context(), a, store.Change{Once: body, Ops: []store.Op{op}}); err != nil {
			t.Fatal(err)
		}
		l.note(t, email, body)
	}
}

// node is the process that is killed: it says what it tries and what was
// acknowledged.
func node(t *testing.T, dsn string) {
	s := open(t, dsn, refBlobs{})
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	var wg sync.WaitGroup
	for n := range 4 {
		id := store.AccountID(fmt.Sprint("a", n))
		a, inbox := inboxOf(t, s, id)
		wg.Go(func() {
			for i := 0; ; i++ {
				body := fmt.Sprintf("%s node %s %d", id, os.Getenv("POSTGRES_TEST_ROUND"), i)
				op := appendTo(t, refBlobs{}, inbox, body)
				say("try %s %s", op.EmailID, body)
				if _, err := deliver(context.Background(), a, store.Change{Once: body, Ops: []store.Op{op}}); err != nil {
					t.Error(err)
					return
				}
				say("ack %s %s", op.EmailID, body)
			}
		})
	}
	wg.Wait()
}
