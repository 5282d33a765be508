package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
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

// newQueue is an empty queue with these options.
func newQueue(t *testing.T, o sqlqueue.Options) *queueDB {
	t.Helper()
	return openQueue(t, t.TempDir()).again(t, o)
}

// again is the queue opened once more on the same database, as after a restart.
func (q *queueDB) again(t *testing.T, o sqlqueue.Options) *queueDB {
	t.Helper()
	s, err := sqlqueue.New(t.Context(), q.db, o)
	if err != nil {
		t.Fatal(err)
	}
	return &queueDB{s, q.db, q.engine, q.dir}
}

// exec changes the tables behind the queue's back.
func (q *queueDB) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	err := q.db.Commit(t.Context(), sqldb.Work{Do: func(tx *sqldb.Tx) error {
		_, err := tx.ExecOnce(query, args...)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
}

func (q *queueDB) int(t *testing.T, query string, args ...any) int64 {
	t.Helper()
	n, _, err := sqldb.One(t.Context(), q.db, sqldb.Int64, query, args...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (q *queueDB) put(t *testing.T, jobs ...queue.Job) {
	t.Helper()
	if err := q.Put(t.Context(), jobs...); err != nil {
		t.Fatal(err)
	}
}

func (q *queueDB) leaseAll(t *testing.T, dest string) []queue.Lease {
	t.Helper()
	ls, err := q.LeaseJobs(t.Context(), dest, time.Now(), 100, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ls
}

func queued(id, dest string) queue.Job {
	return queue.Job{ID: id, Destination: dest, Blob: blob.Ref("blob-" + id), Due: time.Now().Add(-time.Minute)}
}

// TestQueueCountsHold compares lanes and counters with the jobs after a mix of
// everything (I1 of package sqlqueue).
func TestQueueCountsHold(t *testing.T) {
	q := newQueue(t, sqlqueue.Options{})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 40 {
				q.shuffle(t, w, i)
			}
		})
	}
	wg.Wait()
	if n := q.int(t, `SELECT COUNT(*) FROM (
		SELECT dest, rank, MIN(next) FROM queue_job GROUP BY dest, rank EXCEPT SELECT dest, rank, next FROM queue_lane)`); n != 0 {
		t.Errorf("%d lanes are missing or wrong", n)
	}
	if n := q.int(t, `SELECT COUNT(*) FROM (SELECT dest, rank FROM queue_lane EXCEPT SELECT dest, rank FROM queue_job)`); n != 0 {
		t.Errorf("%d lanes have no job", n)
	}
	st, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	jobs, held := q.int(t, `SELECT COUNT(*) FROM queue_job`), q.int(t, `SELECT COUNT(*) FROM queue_job WHERE next = 9223372036854775807`)
	if st.Jobs != jobs || st.Held != held || jobs == 0 || held == 0 {
		t.Errorf("stats %+v, there are %d jobs, %d of them held", st, jobs, held)
	}
}

func (q *queueDB) shuffle(t *testing.T, w, i int) {
	ctx, id := t.Context(), fmt.Sprintf("j%d-%02d", w, i)
	j := queued(id, fmt.Sprint("d", i%3))
	j.Priority = i % 2
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
	ls, err2 := q.LeaseJobs(ctx, fmt.Sprint("d", w%3), time.Now(), 2, time.Hour)
	err = errors.Join(err, err2)
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

// TestQueuePutsShareACommit: what waits while a commit is under way goes into
// the next one together, whoever put it.
func TestQueuePutsShareACommit(t *testing.T) {
	q := newQueue(t, sqlqueue.Options{})
	entered, free := make(chan struct{}), make(chan struct{})
	go q.db.Commit(context.Background(), sqldb.Work{Key: "slow", Do: func(*sqldb.Tx) error {
		close(entered)
		<-free
		return nil
	}})
	<-entered
	const n = 200
	before := q.db.Stats()
	var wg sync.WaitGroup
	var waiting sync.WaitGroup
	waiting.Add(n)
	for i := range n {
		wg.Go(func() {
			waiting.Done()
			if err := q.Put(context.Background(), queued(fmt.Sprintf("%03d", i), fmt.Sprint("d", i%10))); err != nil {
				t.Error(err)
			}
		})
	}
	waiting.Wait()
	close(free)
	wg.Wait()
	// Some may come only after the slow Work ended.
	if c := q.db.Stats().Commits - before.Commits; c > n/4 {
		t.Errorf("%d commits for %d concurrent puts", c, n)
	}
}

// TestQueuePlans: nothing that puts, picks, settles or edits reads a whole
// table, or sorts.
func TestQueuePlans(t *testing.T) {
	var mu sync.Mutex
	queries := make(map[string]bool)
	q := openWatched(t, &watch{prepare: func(query string) {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(query, "queue_") && !strings.HasPrefix(query, "CREATE") && !strings.Contains(query, "SET rank = rank") && !strings.Contains(query, "_by_id") {
			queries[query] = true
		}
	}})
	once := queued("o", "e")
	once.Once = "key"
	q.put(t, once, queued("x", "f"))
	for i := range 10 {
		q.shuffle(t, i, i)
	}
	if _, err := q.LeaseDestinations(t.Context(), queue.Look{Now: time.Now(), Max: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Holds(t.Context(), []blob.Ref{"a"}); err != nil {
		t.Fatal(err)
	}
	if err := q.PutEntries(t.Context(), queue.Entry{Kind: "k", Key: "a"}, queue.Entry{Kind: "k", Key: "b", Remove: true}); err != nil {
		t.Fatal(err)
	}
	for _, f := range []queue.EntryFilter{{Kind: "k"}, {Kind: "k", Prefix: "a"}, {Kind: "k", Keys: []string{"a"}}} {
		for _, err := range q.Entries(t.Context(), f) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	mu.Lock()
	all := slices.Sorted(maps.Keys(queries))
	mu.Unlock()
	if len(all) < 22 {
		t.Errorf("%d statements were seen", len(all))
	}
	for _, query := range all {
		plan, err := sqldb.Collect(t.Context(), q.db, func(r *sql.Rows) (s string, err error) {
			var a, b, c int
			err = r.Scan(&a, &b, &c, &s)
			return s, err
		}, `EXPLAIN QUERY PLAN `+query, make([]any, strings.Count(query, "?"))...)
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
		if text := strings.Join(plan, "; "); strings.Contains(text, "SCAN") || strings.Contains(text, "TEMP B-TREE") {
			t.Errorf("%s\nplan: %s", query, text)
		}
	}
}

// TestQueueDamagedRecord: a damaged job is set aside, and no other one waits
// for it.
func TestQueueDamagedRecord(t *testing.T) {
	var log strings.Builder
	q := newQueue(t, sqlqueue.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	q.put(t, queued("a", "d"), queued("b", "d"), queued("c", "d"))
	q.exec(t, `UPDATE queue_job SET record = x'00112233445566' WHERE id = 'a'`)
	if got := q.leaseAll(t, "d"); len(got) != 2 || got[0].Job.ID != "b" {
		t.Fatalf("%d leases beside a damaged job, want 2", len(got))
	}
	if !strings.Contains(log.String(), "job=a") {
		t.Errorf("the log does not name the job: %q", log.String())
	}
	q = q.again(t, sqlqueue.Options{Logger: slog.New(slog.DiscardHandler)})
	if got := q.leaseAll(t, "d"); len(got) != 2 {
		t.Errorf("%d leases after a restart", len(got))
	}
	st, err := q.Stats(t.Context())
	if err != nil || st.Jobs != 3 || st.Held != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
	for j, err := range q.List(t.Context(), queue.Filter{Held: new(true)}) {
		if err != nil || j.ID != "a" || !strings.Contains(j.Hold, "damaged") || j.Blob != "blob-a" {
			t.Errorf("listed as %+v, %v", j, err)
		}
	}
	// A release cannot mend it; the record stays for who can.
	if n, err := q.Edit(t.Context(), queue.Filter{IDs: []string{"a"}}, queue.Edit{Hold: new("")}); n != 0 || err != nil {
		t.Errorf("released %d, %v", n, err)
	}
	if n := q.int(t, `SELECT COUNT(*) FROM queue_job WHERE record = x'00112233445566'`); n != 1 {
		t.Error("the damaged record was changed")
	}
	if n, err := q.Edit(t.Context(), queue.Filter{IDs: []string{"a"}}, queue.Edit{Drop: true}); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
}

// TestQueueForgets: blobs are held for 24 h to 32 h after their job, keys of
// Once for 30 days, and no longer.
func TestQueueForgets(t *testing.T) {
	now := time.Date(2026, 3, 1, 23, 59, 59, 0, time.UTC)
	q := newQueue(t, sqlqueue.Options{Now: func() time.Time { return now }})
	first := queued("a", "d")
	first.Once = "key"
	q.put(t, first)
	for _, l := range q.leaseAll(t, "d") {
		if err := q.Settle(t.Context(), []queue.Outcome{{Token: l.Token, Attempted: true}}); err != nil {
			t.Fatal(err)
		}
	}
	held := func() bool {
		refs, err := q.Holds(t.Context(), []blob.Ref{"blob-a", "blob-x"})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Equal(refs, []blob.Ref{"blob-a"})
	}
	touch := func(id string, wait time.Duration) {
		now = now.Add(wait)
		q.put(t, queued(id, "e"))
	}
	touch("t1", 24*time.Hour-time.Minute)
	if !held() {
		t.Error("not held 24 h after its job")
	}
	touch("t2", 9*time.Hour)
	if n := q.int(t, `SELECT COUNT(*) FROM queue_released`); held() || n != 0 {
		t.Errorf("held 33 h after its job; %d rows", n)
	}
	again := first
	again.ID = "b"
	now = now.Add(28 * 24 * time.Hour)
	q.put(t, again)
	if n := q.int(t, `SELECT COUNT(*) FROM queue_job WHERE id = 'b'`); n != 0 {
		t.Error("the key is forgotten before 30 days")
	}
	touch("t3", 2*24*time.Hour)
	if n := q.int(t, `SELECT COUNT(*) FROM queue_once`); n != 0 {
		t.Errorf("%d keys after 31 days", n)
	}
}

// TestQueueEnqueueTx: the job is there if and only if the application's
// transaction commits.
func TestQueueEnqueueTx(t *testing.T) {
	q := newQueue(t, sqlqueue.Options{})
	ctx := t.Context()
	app, err := sql.Open("sqlite", "file:"+filepath.Join(q.dir, "mail.db")+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	enqueue := func(commit bool, j queue.Job) error {
		tx, err := app.BeginTx(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = q.EnqueueTx(ctx, tx, j)
		if !commit || err != nil {
			tx.Rollback()
			return err
		}
		return tx.Commit()
	}
	held, once := queued("h", "d"), queued("o", "d")
	held.Hold, once.Once = "stop", "key"
	known := once
	known.ID = "p"
	for _, k := range []struct {
		commit bool
		job    queue.Job
		want   error
	}{{false, queued("a", "d"), nil}, {true, queued("b", "d"), nil}, {true, held, nil}, {true, once, nil}, {true, known, nil}, {true, queued("b", "e"), queue.ErrExists}} {
		if err := enqueue(k.commit, k.job); !errors.Is(err, k.want) {
			t.Errorf("%s: %v, want %v", k.job.ID, err, k.want)
		}
	}
	var ids []string
	for j := range q.List(ctx, queue.Filter{}) {
		ids = append(ids, j.ID)
	}
	if want := []string{"b", "h", "o"}; !slices.Equal(ids, want) {
		t.Errorf("jobs %q, want %q", ids, want)
	}
	if st, err := q.Stats(ctx); err != nil || st.Jobs != 3 || st.Held != 1 || st.Destinations != 1 {
		t.Errorf("stats %+v, %v", st, err)
	}
	if got := q.leaseAll(t, "d"); len(got) != 2 {
		t.Errorf("%d leases, want 2", len(got))
	}
}

func TestQueueClosed(t *testing.T) {
	q := newQueue(t, sqlqueue.Options{})
	q.db.Close()
	if err := q.Put(t.Context(), queued("a", "d")); !errors.Is(err, queue.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// TestQueueAttemptsFile: where the file of attempts cannot be written, the queue
// opens and works, and says so.
func TestQueueAttemptsFile(t *testing.T) {
	q := openQueue(t, t.TempDir())
	path := q.db.Dialect().Path + "-attempts"
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	again := q.again(t, sqlqueue.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), "cannot note attempts") {
		t.Errorf("log: %q", log.String())
	}
	again.put(t, queued("a", "d"))
	ls := again.leaseAll(t, "d")
	if len(ls) != 1 {
		t.Fatalf("%d leases", len(ls))
	}
	if err := again.Settle(t.Context(), []queue.Outcome{{Token: ls[0].Token, Attempted: true}}); err != nil {
		t.Error(err)
	}
}

// TestQueueOldRows: a queue whose jobs lie in the order of their IDs is made into
// one whose jobs lie as they came, with all that they say.
func TestQueueOldRows(t *testing.T) {
	q := newQueue(t, sqlqueue.Options{})
	const form = `SELECT COUNT(*) FROM sqlite_master WHERE name = 'queue_job' AND sql LIKE '%WITHOUT ROWID%'`
	for i, id := range []string{"c", "a", "b"} {
		j := queued(id, "d")
		j.Created, j.Due = time.Unix(int64(i), 0), time.Unix(int64(i), 0)
		q.put(t, j)
	}
	q.exec(t, `ALTER TABLE queue_job RENAME TO saved`)
	q.exec(t, `CREATE TABLE queue_job (id TEXT NOT NULL PRIMARY KEY, message TEXT NOT NULL, dest TEXT NOT NULL, rank INTEGER NOT NULL,
		next INTEGER NOT NULL, created INTEGER NOT NULL, sender TEXT NOT NULL, identity TEXT NOT NULL, blob TEXT NOT NULL,
		record BLOB NOT NULL) WITHOUT ROWID`)
	q.exec(t, `INSERT INTO queue_job SELECT * FROM saved`)
	q.exec(t, `DROP TABLE saved`)
	q.exec(t, `CREATE INDEX queue_pick ON queue_job (dest, rank, next, id)`)
	q.exec(t, `CREATE INDEX queue_blob ON queue_job (blob)`)
	q.exec(t, `CREATE INDEX queue_created ON queue_job (created)`)
	q.exec(t, `DELETE FROM schema_version WHERE component = 'queue_rows'`)
	if q.int(t, form) != 1 {
		t.Fatal("the table is not of the old form")
	}
	again := q.again(t, sqlqueue.Options{})
	if again.int(t, form) != 0 {
		t.Error("the table is of the old form")
	}
	var got []string
	for _, l := range again.leaseAll(t, "d") {
		got = append(got, l.Job.ID+string(l.Job.Blob))
	}
	if want := []string{"cblob-c", "ablob-a", "bblob-b"}; !slices.Equal(got, want) {
		t.Errorf("jobs %q, want %q", got, want)
	}
	if err := again.Put(t.Context(), queued("a", "d")); !errors.Is(err, queue.ErrExists) {
		t.Errorf("an ID twice: %v", err)
	}
	if n := again.int(t, `SELECT COUNT(*) FROM sqlite_master WHERE name IN ('queue_pick', 'queue_blob', 'queue_created', 'queue_id')`); n != 4 {
		t.Errorf("%d indexes, want 4", n)
	}
}

// TestQueueSettleEdited: a job that an operator moved, held or dropped while it was
// leased, and that was delivered, is not counted where it was, nor twice.
func TestQueueSettleEdited(t *testing.T) {
	for name, e := range map[string]queue.Edit{
		"moved": {Destination: new("other")}, "held": {Hold: new("stop")}, "dropped": {Drop: true}, "none": {},
	} {
		t.Run(name, func(t *testing.T) {
			q := newQueue(t, sqlqueue.Options{})
			q.put(t, queued("a", "d"))
			l := q.leaseAll(t, "d")[0]
			if name != "none" {
				if n, err := q.Edit(t.Context(), queue.Filter{}, e); n != 1 || err != nil {
					t.Fatal(n, err)
				}
			}
			if err := q.Settle(t.Context(), []queue.Outcome{{Token: l.Token, Attempted: true}}); err != nil {
				t.Fatal(err)
			}
			if n := q.int(t, `SELECT COUNT(*) FROM queue_job`) + q.int(t, `SELECT COUNT(*) FROM queue_lane`) + q.int(t, `SELECT TOTAL(n) FROM queue_count`); n != 0 {
				t.Errorf("something is left, or counted: %d", n)
			}
			if n := q.int(t, `SELECT COUNT(*) FROM queue_released WHERE blob = 'blob-a'`); n != 1 {
				t.Errorf("the blob is released %d times", n)
			}
		})
	}
}

// TestQueueEntriesPurge: what has expired is deleted, in bounded batches.
func TestQueueEntriesPurge(t *testing.T) {
	now := time.Now()
	q := newQueue(t, sqlqueue.Options{Now: func() time.Time { return now }})
	for range 2 {
		var es []queue.Entry
		for i := range 600 {
			es = append(es, queue.Entry{Kind: "k", Key: fmt.Sprint(now.UnixNano(), i), Expires: now.Add(time.Minute)})
		}
		if err := q.PutEntries(t.Context(), es...); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Millisecond)
	}
	now = now.Add(time.Hour)
	for _, want := range []int64{701, 202, 3, 4} {
		if err := q.PutEntries(t.Context(), queue.Entry{Kind: "live", Key: fmt.Sprint(want)}); err != nil {
			t.Fatal(err)
		}
		if n := q.int(t, `SELECT COUNT(*) FROM queue_entry`); n != want {
			t.Errorf("%d rows, want %d", n, want)
		}
	}
}

// TestQueueSetAside: a job that was set aside and can be read is seen as held,
// and goes on when it is released.
func TestQueueSetAside(t *testing.T) {
	q := newQueue(t, sqlqueue.Options{Logger: slog.New(slog.DiscardHandler)})
	q.put(t, queued("a", "d"), queued("b", "d"))
	q.exec(t, `CREATE TABLE saved AS SELECT id, record FROM queue_job`)
	q.exec(t, `UPDATE queue_job SET record = x'ff00000000' WHERE id = 'a'`)
	if ls := q.leaseAll(t, "d"); len(ls) != 1 || ls[0].Job.ID != "b" {
		t.Fatalf("leases %v", ls)
	}
	q.exec(t, `UPDATE queue_job SET record = (SELECT record FROM saved WHERE saved.id = queue_job.id)`)
	held := queue.Filter{Held: new(true)}
	for j, err := range q.List(t.Context(), held) {
		if err != nil || j.ID != "a" || !strings.HasPrefix(j.Hold, "set aside") {
			t.Errorf("held: %+v, %v", j, err)
		}
	}
	if n, err := q.Edit(t.Context(), held, queue.Edit{Hold: new("")}); n != 1 || err != nil {
		t.Fatalf("released %d, %v", n, err)
	}
	if ls := q.leaseAll(t, "d"); len(ls) != 1 || ls[0].Job.ID != "a" || ls[0].Job.Hold != "" {
		t.Errorf("leases after the release: %v", ls)
	}
	if st, err := q.Stats(t.Context()); st.Held != 0 || st.Jobs != 2 || err != nil {
		t.Errorf("stats %+v, %v", st, err)
	}
}

// TestQueueOldSchema: a queue of the first version, whose ranks were priorities
// alone, is migrated as it is, in its order, and has entries then.
func TestQueueOldSchema(t *testing.T) {
	q := openQueue(t, t.TempDir())
	for i, priority := range []int{-9, 0, 0, 9, 3} {
		j := queued(fmt.Sprint(i), "d")
		j.Priority = priority
		j.Due = time.Now().Add(time.Duration(i-10) * time.Second)
		q.put(t, j)
	}
	held := queued("h", "d")
	held.Hold = "held"
	q.put(t, held)
	q.exec(t, `DELETE FROM queue_lane`)
	q.exec(t, `UPDATE queue_job SET rank = -((-rank + 63) / 64) WHERE rank < 0`)
	q.exec(t, `UPDATE queue_job SET rank = rank / 64 WHERE rank >= 0`)
	q.exec(t, `INSERT INTO queue_lane (dest, rank, next) SELECT dest, rank, MIN(next) FROM queue_job GROUP BY dest, rank`)
	q.exec(t, `DROP TABLE queue_entry`)
	q.exec(t, `DELETE FROM schema_version WHERE component = 'queue_entries'`)
	q.exec(t, `UPDATE schema_version SET version = 1 WHERE component = 'queue'`)
	if n := q.int(t, `SELECT COUNT(*) FROM queue_job WHERE rank NOT BETWEEN -9 AND 9`); n != 0 {
		t.Fatalf("%d rows are not of the first version", n)
	}
	again := q.again(t, sqlqueue.Options{})
	var got []string
	for range 5 {
		ls, err := again.LeaseJobs(t.Context(), "d", time.Now(), 1, time.Hour)
		if err != nil || len(ls) != 1 {
			t.Fatalf("%d leases, %v", len(ls), err)
		}
		got = append(got, ls[0].Job.ID)
		out := queue.Outcome{Token: ls[0].Token, Attempted: true, Entries: []queue.Entry{{Kind: "k", Key: ls[0].Job.ID}}}
		if err := again.Settle(t.Context(), []queue.Outcome{out}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"3", "4", "1", "2", "0"}; !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	if n, err := again.Edit(t.Context(), queue.Filter{}, queue.Edit{Hold: new("")}); n != 1 || err != nil {
		t.Errorf("released %d, %v", n, err)
	}
	if ls := again.leaseAll(t, "d"); len(ls) != 1 || ls[0].Job.ID != "h" {
		t.Errorf("leases after the release: %v", ls)
	}
	if n := again.int(t, `SELECT COUNT(*) FROM queue_lane`); n != 1 {
		t.Errorf("%d lanes", n)
	}
	if n := again.int(t, `SELECT COUNT(*) FROM queue_entry`); n != 5 {
		t.Errorf("%d entries", n)
	}
}
