package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

// everything uses all of the store, so that each of its statements is run.
func everything(t *testing.T, o *opened) {
	t.Helper()
	ctx := t.Context()
	a, inbox := account(t, o, "alice")
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	apply := func(ops ...store.Op) store.Result {
		t.Helper()
		r, err := a.Apply(ctx, store.Change{Ops: ops, Once: fmt.Sprint(time.Now().UnixNano())})
		ok(err)
		return r
	}
	op := appendTo(t, o.blobs, inbox, "x")
	other := store.NewMailboxID()
	apply(store.PutMailbox{ID: other, Create: true, Name: "Other"})
	for range 3 {
		op.EmailID = store.NewEmailID()
		apply(op, store.PutEntry{Key: "k", Value: []byte("v"), IfAbsent: false}, store.PutEntry{Key: "gone", Value: []byte("v")})
	}
	apply(store.PutEntry{Key: "gone"}, store.PutEntry{Key: "old", Value: []byte("v"), Expires: time.Now().Add(-time.Hour)})
	apply(store.SetFlags{Mailbox: inbox, UIDs: store.UIDs(1), Mode: store.FlagsAdd, Flags: store.Seen})
	apply(store.ClaimRecent{Mailbox: inbox})
	apply(store.Copy{Source: inbox, Dest: other, UIDs: store.AllUIDs()})
	apply(store.Expunge{Mailbox: inbox, UIDs: store.AllUIDs()})
	apply(op)
	hold := store.Hold{Name: "h", Mailbox: other, Keep: time.Hour}
	ok(store.PutHold(ctx, a, hold))
	apply(store.Expunge{Mailbox: other, UIDs: store.UIDs(1)})
	_, err := store.ListHolds(ctx, a)
	ok(err)
	ok(store.DropHold(ctx, a, "h"))
	read(t, o, a, inbox)
	apply(store.PutMailbox{ID: other, Delete: true})
	s := o.engine.Store()
	ok(s.Purge(ctx, "alice", 5))
	ok(s.Jump(ctx))
	importing(t, o)
	b, _ := account(t, o, "bob")
	_, err = b.Apply(ctx, store.Change{Ops: []store.Op{store.DropAccount{}}})
	ok(err)
	ok(s.Clean(ctx))
	account(t, o, "bob")
	_, err = s.Holds(ctx, []blob.Ref{op.Blob})
	ok(err)
}

// importing imports a message below another one.
func importing(t *testing.T, o *opened) {
	t.Helper()
	ctx := t.Context()
	if err := o.Create(ctx, "copy", store.AccountInfo{State: store.AccountImporting}); err != nil {
		t.Fatal(err)
	}
	a, inbox := inboxOf(t, o, "copy")
	for _, uid := range []store.UID{9, 5} {
		op := store.Import{Append: appendTo(t, o.blobs, inbox, "x"), UID: uid, ModSeq: store.ModSeq(uid)}
		if _, err := a.Apply(ctx, store.Change{Ops: []store.Op{op}}); err != nil {
			t.Fatal(err)
		}
	}
}

// read reads all that can be read.
func read(t *testing.T, o *opened, a store.Account, inbox store.MailboxID) {
	t.Helper()
	ctx := t.Context()
	all := store.FieldDates | store.FieldIDs | store.FieldContent | store.FieldMeta
	for _, q := range []store.Query{{}, {Fields: all}, {Since: 1, UIDs: store.UIDs(4)}} {
		for _, err := range a.Messages(ctx, inbox, q) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if c, err := a.Content(ctx, inbox, 4); err != nil {
		t.Fatal(err)
	} else {
		c.Close()
	}
	for _, err := range a.Entries(ctx, store.EntryQuery{All: true}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range o.Accounts(ctx, "") {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := store.OfferMeta(ctx, a, inbox, 4, []byte{1}); err != nil {
		t.Fatal(err)
	}
	maildrop := any(a).(store.MaildropLocker)
	if err := maildrop.LockMaildrop(ctx, "me", time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := maildrop.UnlockMaildrop(ctx, "me"); err != nil {
		t.Fatal(err)
	}
	snap, err := any(a).(store.Snapshotter).Snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	for _, err := range snap.Messages(ctx, inbox, store.Query{Fields: all}) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// mail reports statements about tables of the store.
var mail = regexp.MustCompile(`\b(account|mailbox|state|fact|log|thread|entry|once|trash|hold|maildrop)\b`)

// ofAccount is what names the account in a statement: its number, or its name
// where that is looked up.
var ofAccount = regexp.MustCompile(`account = \$|\(account, (num|mailbox|name|hash|holder)|\baccount, \$1, uid|FROM account WHERE (id|name) (= \$|IN \()|a\.name = \$|account SET .* WHERE id = \$|INTO account \(id, name`)

// forAll are the statements that are about all accounts, each with its reason.
var forAll = map[string]string{
	`FROM account WHERE dropped = 0 AND name > $1 ORDER BY name LIMIT 500`: "Accounts lists them, page by page",
	`FROM fact WHERE blob = $1 LIMIT 1`:                                    "Holds asks for a blob, which has an index",
	`FROM once WHERE (account, name) > ($1, $2) ORDER BY`:                  "the cleaner looks for keys whose time is over",
	`FROM trash WHERE (account, mailbox, modseq) > ($1, $2, $3) ORDER BY`:  "the cleaner's work, of all accounts",
	`FROM entry WHERE (account, mailbox, name) > ($1, $2, $3) AND expires`: "the cleaner looks for entries whose time is over",
}

// TestStatements: no statement is without the account, but those that are about
// all of them.
func TestStatements(t *testing.T) {
	o := fresh(t)
	everything(t, o)
	n := 0
	for _, text := range statements(o) {
		if ofAccount.MatchString(text) {
			n++
			continue
		}
		if why := reason(text); why == "" {
			t.Errorf("without the account: %s", text)
		}
	}
	if n < 50 {
		t.Errorf("only %d statements were seen", n)
	}
	for part := range forAll {
		if !slices.ContainsFunc(statements(o), func(s string) bool { return strings.Contains(s, part) }) {
			t.Errorf("nothing runs %q any more", part)
		}
	}
}

// statements are those about mail, with single spaces.
func statements(o *opened) (list []string) {
	for _, text := range o.engine.DB().Statements() {
		if mail.MatchString(text) && !strings.HasPrefix(text, "CREATE") && !strings.HasPrefix(text, "ALTER") {
			list = append(list, strings.Join(strings.Fields(text), " "))
		}
	}
	return list
}

func reason(text string) string {
	for part, why := range forAll {
		if strings.Contains(text, part) {
			return why
		}
	}
	return ""
}

// TestPlans: every statement reads by an index that it uses from the account on,
// be the tables empty, just loaded, or analyzed.
func TestPlans(t *testing.T) {
	s := pg.Server(t)
	o := open(t, pgtest.Database(t, s), refBlobs{})
	everything(t, o)
	list := statements(o)
	explain := func(when string) {
		conn := connect(t, o.dsn)
		for _, text := range list {
			if reason(text) == "" {
				judgePlan(t, when, text, plan(t, conn, text))
			}
		}
	}
	explain("nearly empty")
	bulk(t, o.dsn)
	explain("after a bulk load")
	run(t, o.dsn, `ANALYZE`)
	explain("analyzed")
}

func connect(t *testing.T, dsn string) *sql.Conn {
	t.Helper()
	db, err := sql.Open("pgx", dsn+"&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"enable_seqscan=off", "enable_bitmapscan=off", "jit=off", "plan_cache_mode=force_generic_plan"} {
		if _, err := conn.ExecContext(t.Context(), "SET "+s); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

// plan is the plan of a prepared statement for any arguments.
func plan(t *testing.T, conn *sql.Conn, text string) string {
	t.Helper()
	ctx := context.Background()
	if _, err := conn.ExecContext(ctx, `PREPARE p AS `+text); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer conn.ExecContext(ctx, `DEALLOCATE p`)
	execute := "p"
	if n := params(text); n > 0 {
		execute += "(NULL" + strings.Repeat(", NULL", n-1) + ")"
	}
	rows, err := conn.QueryContext(ctx, `EXPLAIN EXECUTE `+execute)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func params(text string) (n int) {
	for _, m := range regexp.MustCompile(`\$(\d+)`).FindAllStringSubmatch(text, -1) {
		var k int
		fmt.Sscan(m[1], &k)
		n = max(n, k)
	}
	return n
}

var (
	scans  = regexp.MustCompile(`(Index|Index Only|Seq|Bitmap Heap|Tid) Scan`)
	byKey  = regexp.MustCompile(`Index Cond: .*\b(account|id|name)\b`)
	sorted = regexp.MustCompile(`\bSort\b`)
)

// judgePlan wants an index condition with the account for each scan. A plan
// that sorts read more than it had to, but where it locks accounts in order or
// lists holds; one with a join filter compares rows with rows.
func judgePlan(t *testing.T, when, text, plan string) {
	t.Helper()
	n := len(scans.FindAllString(plan, -1))
	if strings.Contains(plan, "Seq Scan") || len(byKey.FindAllString(plan, -1)) < n {
		t.Errorf("%s: without the account's index: %s\n%s", when, text, plan)
	}
	if strings.Contains(plan, "Join Filter") {
		t.Errorf("%s: joins without an index: %s\n%s", when, text, plan)
	}
	if sorted.MatchString(plan) && !strings.Contains(text, "FOR UPDATE") && !strings.Contains(text, "FROM hold") {
		t.Errorf("%s: sorts: %s\n%s", when, text, plan)
	}
}

// bulk loads a large account beside many small ones, past the store.
func bulk(t *testing.T, dsn string) {
	t.Helper()
	run(t, dsn, `
		INSERT INTO account (id, name, state, created, max_bytes, max_messages, max_mailboxes, modseq, purged, validity, boxes, arrivals, dropped)
			SELECT n, 'bulk' || n, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0 FROM generate_series(1, 2000) n;
		INSERT INTO mailbox SELECT n, 1, decode(md5(n::text), 'hex'), 'INBOX', 1, 1, 1, 1, 0, 0, 0, 0, 1, '', 0, 0, 0 FROM generate_series(1, 2000) n;
		INSERT INTO state SELECT 1 + n % 2, 1, n, '\x01' FROM generate_series(1, 20000) n;
		INSERT INTO fact SELECT 1 + n % 2, 1, n, '\x01', '\x01', 0, 0, 0, md5(n::text), 1 FROM generate_series(1, 100000) n;
		INSERT INTO log SELECT 1 + n % 2, 1, 0, n, 0, 0, '\x01' FROM generate_series(1, 50000) n;
		INSERT INTO thread SELECT 1 + n % 2, n, n, '\x01', n, 1, n FROM generate_series(1, 50000) n;
		INSERT INTO entry SELECT 1 + n % 2, 0, n::text::bytea, '\x01', n, 0, 0 FROM generate_series(1, 50000) n;
		INSERT INTO once SELECT 1 + n % 2, n::text::bytea, 0, '\x01' FROM generate_series(1, 50000) n;
		INSERT INTO trash SELECT 1 + n % 2, 1, n, 0, '\x01' FROM generate_series(1, 20000) n`)
}
