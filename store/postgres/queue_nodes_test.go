package postgres_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/sqldb"
)

func queued(id, dest string) queue.Job {
	return queue.Job{ID: id, Destination: dest, Blob: blob.Ref("blob-" + id), Created: time.Now(), Due: time.Now().Add(-time.Minute)}
}

func (q *queueNode) put(t testing.TB, jobs ...queue.Job) {
	t.Helper()
	if err := q.Put(t.Context(), jobs...); err != nil {
		t.Fatal(err)
	}
}

func (q *queueNode) int(t testing.TB, query string, args ...any) int64 {
	t.Helper()
	n, _, err := sqldb.One(t.Context(), q.db, sqldb.Int64, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (q *queueNode) dests(t testing.TB, limit int, except ...string) []string {
	t.Helper()
	full := make(map[string]bool)
	for _, d := range except {
		full[d] = true
	}
	f, err := q.LeaseDestinations(t.Context(), queue.Look{Now: time.Now(), Max: limit, Except: full})
	ds := f.Destinations
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestQueueNodesMix changes everything at two nodes at once. Then every job has
// a lane that is low enough, the counters are right, and looks bring the lanes
// into order (I1 of sqlqueue). Batches that edit and settle the same jobs may
// deadlock; the database ends one, which runs again.
func TestQueueNodesMix(t *testing.T) {
	nodes := queueNodes(t, 2)
	deadlocks := `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`
	before := nodes[0].int(t, deadlocks)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := range 25 {
				shuffleQueue(t, nodes[w%2], w, i)
			}
		})
	}
	wg.Wait()
	q := nodes[1]
	if n := q.int(t, `SELECT COUNT(*) FROM queue_job j WHERE NOT EXISTS
		(SELECT 1 FROM queue_lane l WHERE l.dest = j.dest AND l.rank = j.rank AND l.next <= j.next)`); n != 0 {
		t.Errorf("%d jobs have no lane, or one that is too high", n)
	}
	st, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jobs, held := q.int(t, `SELECT COUNT(*) FROM queue_job`), q.int(t, `SELECT COUNT(*) FROM queue_job WHERE next = 9223372036854775807`)
	if st.Jobs != jobs || st.Held != held || jobs == 0 || held == 0 {
		t.Errorf("stats %+v, there are %d jobs, %d of them held", st, jobs, held)
	}
	for range 3 { // a look finds what is too low, the next commit mends it
		for _, n := range nodes {
			n.dests(t, 100)
			n.put(t, queued(fmt.Sprint("mend", n.int(t, `SELECT COUNT(*) FROM queue_job`)), "mend"))
		}
	}
	if n := q.int(t, `SELECT COUNT(*) FROM queue_lane l WHERE NOT EXISTS
		(SELECT 1 FROM queue_job j WHERE l.dest = j.dest AND l.rank = j.rank)`); n != 0 {
		t.Errorf("%d lanes have no job", n)
	}
	t.Logf("%d deadlocks", nodes[0].int(t, deadlocks)-before)
}

func shuffleQueue(t *testing.T, q *queueNode, w, i int) {
	ctx, id := t.Context(), fmt.Sprintf("j%d-%02d", w, i)
	j := queued(id, fmt.Sprint("d", i%3))
	j.Priority = i % 2
	j.Blob = blob.Ref(fmt.Sprint("blob-", i)) // shared with the other node
	if i%7 == 0 {
		j.Hold = "stop"
	}
	err := q.Put(ctx, j)
	if i%4 == 0 {
		_, err2 := q.Edit(ctx, queue.Filter{IDs: []string{id}}, queue.Edit{Destination: new("d9")})
		err = errors.Join(err, err2)
	}
	if i%5 == 0 {
		_, err2 := q.Edit(ctx, queue.Filter{IDs: []string{id}}, queue.Edit{Hold: new([]string{"", "x"}[i/5%2])})
		err = errors.Join(err, err2)
	}
	_, err2 := q.LeaseDestinations(ctx, queue.Look{Now: time.Now(), Max: 5})
	ls, err3 := q.LeaseJobs(ctx, fmt.Sprint("d", w%3), time.Now(), 2, time.Hour)
	err = errors.Join(err, err2, err3)
	for k, l := range ls {
		out := queue.Outcome{Token: l.Token, Attempted: true}
		if k == 0 {
			out.Remaining, out.Due = make([]queue.Recipient, 1), time.Now().Add(time.Duration(i)*time.Minute)
		}
		err = errors.Join(err, q.Settle(ctx, []queue.Outcome{out}))
	}
	if err != nil {
		t.Error(err)
	}
}

// TestQueueBesideBlocked: what a look and a pick read does not depend on how
// much waits for a destination that takes nothing, or for later.
func TestQueueBesideBlocked(t *testing.T) {
	n := 200_000
	if testing.Short() {
		n = 20_000
	}
	q := queueNodes(t, 1)[0]
	for i := range n / 2000 {
		jobs := make([]queue.Job, 2000)
		for k := range jobs {
			jobs[k] = queued(fmt.Sprintf("b%04d-%04d", i, k), "blocked")
			if k%2 == 0 {
				jobs[k].Destination, jobs[k].Due = "later", time.Now().Add(time.Hour)
			}
		}
		q.put(t, jobs...)
	}
	q.put(t, queued("x", "free"), queued("y", "later"))
	if ls, err := q.LeaseJobs(t.Context(), "blocked", time.Now(), 20, time.Hour); err != nil || len(ls) != 20 {
		t.Fatalf("%d leases, %v", len(ls), err)
	}
	reads := `SELECT CAST(SUM(idx_tup_fetch + COALESCE(seq_tup_read, 0)) AS BIGINT) FROM pg_stat_user_tables WHERE relname LIKE 'queue_%'`
	before := q.settledInt(t, reads)
	const rounds = 50
	var took []time.Duration
	for range rounds {
		start := time.Now()
		if ds := q.dests(t, 20, "blocked"); !slices.Equal(ds, []string{"later", "free"}) && !slices.Equal(ds, []string{"free", "later"}) {
			t.Fatalf("destinations %q", ds)
		}
		for _, d := range []string{"free", "later"} {
			ls, err := q.LeaseJobs(t.Context(), d, time.Now(), 20, time.Hour)
			if err != nil || len(ls) != 1 {
				t.Fatalf("%d leases of %s, %v", len(ls), d, err)
			}
			back := queue.Outcome{Token: ls[0].Token, Remaining: ls[0].Job.Recipients, Due: ls[0].Job.Due}
			if len(back.Remaining) == 0 {
				back.Remaining = make([]queue.Recipient, 1)
			}
			if err := q.Settle(t.Context(), []queue.Outcome{back}); err != nil {
				t.Fatal(err)
			}
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	perRound := float64(q.settledInt(t, reads)-before) / rounds
	t.Logf("beside %d jobs: %.0f rows read for a look, 2 picks and 2 settles; median %v", n, perRound, took[rounds/2])
	if perRound > 500 {
		t.Errorf("%.0f rows read in each round", perRound)
	}
}

// settledInt reads a number of the statistics once they are there.
func (q *queueNode) settledInt(t testing.TB, query string) int64 {
	t.Helper()
	time.Sleep(1500 * time.Millisecond) // backends tell of theirs once a second
	if _, _, err := sqldb.One(t.Context(), q.db, scanString, `SELECT CAST(pg_stat_clear_snapshot() AS TEXT)`); err != nil {
		t.Log(err)
	}
	return q.int(t, query)
}

func scanString(r *sql.Rows) (s string, err error) {
	err = r.Scan(&s)
	return s, err
}

// TestQueueEnqueueTx: a job of the application's transaction is seen by every
// node once that commits, and until then nobody waits for it.
func TestQueueEnqueueTx(t *testing.T) {
	nodes := queueNodes(t, 2)
	q, ctx := nodes[0], t.Context()
	app, err := sql.Open("pgx", q.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	tx, err := app.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	held, once := queued("h", "d"), queued("o", "d")
	held.Hold, once.Once = "stop", "key"
	for _, j := range []queue.Job{queued("a", "d"), held, once} {
		if err := q.EnqueueTx(ctx, tx, j); err != nil {
			t.Fatal(err)
		}
	}
	// The transaction is open: the same lanes and counters are free.
	soon, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for i, n := range nodes {
		if err := n.Put(soon, queued(fmt.Sprint("n", i), "d")); err != nil {
			t.Fatal(err)
		}
		ls, err := n.LeaseJobs(soon, "d", time.Now(), 1, time.Hour)
		if err != nil || len(ls) != 1 {
			t.Fatalf("%d leases, %v", len(ls), err)
		}
		if err := n.Settle(soon, []queue.Outcome{{Token: ls[0].Token, Attempted: true}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if ds := nodes[1].dests(t, 10); !slices.Equal(ds, []string{"d"}) {
		t.Errorf("destinations at the other node: %q", ds)
	}
	if ls, err := nodes[1].LeaseJobs(ctx, "d", time.Now(), 10, time.Hour); err != nil || len(ls) != 2 {
		t.Errorf("%d leases, %v; want a and o", len(ls), err)
	}
	if st, err := q.Stats(ctx); err != nil || st.Jobs != 3 || st.Held != 1 || st.Leased != 2 || st.Destinations != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
	for _, c := range []struct {
		job  queue.Job
		want error
	}{{queued("a", "e"), queue.ErrExists}, {func() queue.Job { o := once; o.ID = "p"; return o }(), nil}} {
		tx, err := app.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.EnqueueTx(ctx, tx, c.job); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.job.ID, err, c.want)
		}
		tx.Commit()
	}
	if n := q.int(t, `SELECT COUNT(*) FROM queue_job`); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
}

// TestQueueNodeKilled kills a node that holds leases and extends them: they last
// while it lives and not much longer, and nothing of it is lost.
func TestQueueNodeKilled(t *testing.T) {
	if dsn := os.Getenv("MAILSTEAD_TEST_QUEUE_NODE"); dsn != "" {
		holdLeases(t, dsn)
		return
	}
	q := queueNodes(t, 1)[0]
	const n = 20
	for i := range n {
		q.put(t, queued(fmt.Sprintf("j%02d", i), "d"))
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestQueueNodeKilled$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "MAILSTEAD_TEST_QUEUE_NODE="+q.dsn)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "leased ") {
	}
	if lines.Text() != fmt.Sprint("leased ", n) {
		t.Fatalf("the node says %q", lines.Text())
	}
	time.Sleep(2 * nodeTTL) // it extends them
	lease := func() []queue.Lease {
		ls, err := q.LeaseJobs(t.Context(), "d", time.Now(), n, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return ls
	}
	if ls := lease(); len(ls) != 0 {
		t.Fatalf("%d leases of what a living node has", len(ls))
	}
	cmd.Process.Kill()
	killed := time.Now()
	var got []queue.Lease
	for len(got) < n && time.Since(killed) < 10*nodeTTL {
		got = append(got, lease()...)
		time.Sleep(20 * time.Millisecond)
	}
	if took := time.Since(killed); len(got) != n || took > nodeTTL+2*time.Second {
		t.Errorf("%d leases %v after the kill, want %d within %v", len(got), took, n, nodeTTL)
	}
	for _, l := range got {
		if err := q.Settle(t.Context(), []queue.Outcome{{Token: l.Token, Attempted: true}}); err != nil {
			t.Error(err)
		}
	}
	if st, err := q.Stats(t.Context()); err != nil || st.Jobs != 0 || st.Leased != 0 {
		t.Errorf("stats %+v, %v", st, err)
	}
}

const nodeTTL = 1500 * time.Millisecond

// holdLeases leases all jobs and extends the leases until it is killed.
func holdLeases(t *testing.T, dsn string) {
	q := openQueueNode(t, dsn)
	var tokens []queue.Token
	ls, err := q.LeaseJobs(t.Context(), "d", time.Now(), 100, nodeTTL)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range ls {
		tokens = append(tokens, l.Token)
	}
	fmt.Println("leased", len(tokens))
	for {
		time.Sleep(nodeTTL / 3)
		if err := q.Extend(t.Context(), nodeTTL, tokens...); err != nil {
			t.Fatal(err)
		}
	}
}

// TestQueueDamagedRecord: a damaged job is held, and no other one waits for it.
func TestQueueDamagedRecord(t *testing.T) {
	n := queueNodes(t, 1)[0]
	var log strings.Builder
	s, err := sqlqueue.New(t.Context(), n.db, sqlqueue.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	q := &queueNode{s, n.db, n.dsn, n.close}
	q.put(t, queued("a", "d"), queued("b", "d"), queued("c", "d"))
	err = q.db.Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
		_, err := tx.ExecOnce(`UPDATE queue_job SET record = '\x00112233445566' WHERE id = 'a'`)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	ls, err := q.LeaseJobs(t.Context(), "d", time.Now(), 10, time.Hour)
	if err != nil || len(ls) != 2 || ls[0].Job.ID != "b" {
		t.Fatalf("%d leases beside a damaged job, %v", len(ls), err)
	}
	if !strings.Contains(log.String(), "job=a") {
		t.Errorf("the log does not name the job: %q", log.String())
	}
	if st, err := q.Stats(t.Context()); err != nil || st.Jobs != 3 || st.Held != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
}

// TestQueueLaneKept: a lane that looks empty stays while a job is on its way into
// it: the batch of one node is stopped just before its COMMIT, and the other one
// mends its lanes meanwhile.
func TestQueueLaneKept(t *testing.T) {
	nodes := queueNodes(t, 2)
	a, b := nodes[0], nodes[1]
	a.put(t, queued("old", "d"))
	ls, err := a.LeaseJobs(t.Context(), "d", time.Now(), 1, time.Hour)
	if err != nil || len(ls) != 1 {
		t.Fatalf("%d leases, %v", len(ls), err)
	}
	if err := a.Settle(t.Context(), []queue.Outcome{{Token: ls[0].Token, Attempted: true}}); err != nil {
		t.Fatal(err)
	}
	if n := a.int(t, `SELECT COUNT(*) FROM queue_lane WHERE dest = 'd'`); n != 1 {
		t.Fatalf("%d lanes, want the one that is out of date", n)
	}
	stopped, free := a.stopBeforeCommit(t, queued("new", "d"))
	<-stopped
	b.dests(t, 10) // sees a lane without jobs
	mended := make(chan error, 1)
	go func() { mended <- b.Put(context.Background(), queued("other", "e")) }()
	select {
	case err = <-mended:
	case <-time.After(3 * time.Second):
		t.Error("the other node waits")
	}
	close(free)
	if err != nil {
		t.Error(err)
	}
	for len(b.dests(t, 10)) < 1 || a.int(t, `SELECT COUNT(*) FROM queue_job WHERE id = 'new'`) == 0 {
		if t.Context().Err() != nil {
			return
		}
	}
	if ds := b.dests(t, 10); !slices.Contains(ds, "d") {
		t.Errorf("destinations %q: the new job is lost from sight", ds)
	}
}

// stopBeforeCommit puts a job in a batch that stops behind the queue's last
// statement.
func (q *queueNode) stopBeforeCommit(t *testing.T, j queue.Job) (stopped, free chan struct{}) {
	stopped, free = make(chan struct{}), make(chan struct{})
	entered, go1 := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	wg.Go(func() { // gathers a batch behind it
		_ = q.db.Commit(context.Background(), sqldb.Work{Key: "gather", Do: func(*sqldb.Tx) error {
			close(entered)
			<-go1
			return nil
		}})
	})
	<-entered
	wg.Go(func() {
		if err := q.Put(context.Background(), j); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(100 * time.Millisecond) // until the Put waits
	wg.Go(func() {
		_ = q.db.Commit(context.Background(), sqldb.Work{Key: "stop", Do: func(tx *sqldb.Tx) error {
			n, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, `SELECT COUNT(*) FROM queue_job WHERE id = ?`, j.ID)
			if err != nil || n != 1 {
				t.Errorf("the job is not in the batch: %d, %v", n, err)
			}
			tx.BeforeCommit(func(*sqldb.Tx) error {
				close(stopped)
				<-free
				return nil
			})
			return nil
		}})
	})
	time.Sleep(100 * time.Millisecond)
	close(go1)
	return stopped, free
}
