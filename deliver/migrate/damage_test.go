package migrate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/deliver/migrate/maildirtree"
	"github.com/mailstead/mailstead/deliver/migrate/storeaccount"
	"github.com/mailstead/mailstead/store"
)

// Verify names each kind of damage, and the message that has it.
func TestVerifyFindsDamage(t *testing.T) {
	for _, test := range []struct {
		kind   migrate.Damage
		damage func(t *testing.T, dir, file string, f *fake)
	}{
		{migrate.Missing, func(t *testing.T, _, file string, _ *fake) { must(t, os.Remove(file)) }},
		{migrate.WrongBody, func(t *testing.T, _, file string, _ *fake) {
			edit(t, file, func(s string) string { return strings.Replace(s, "a@a", "b@a", 1) })
		}},
		{migrate.WrongBody, func(t *testing.T, _, file string, _ *fake) {
			edit(t, file, func(s string) string { return s[:len(s)/2] })
		}},
		{migrate.WrongBody, func(t *testing.T, _, file string, _ *fake) { edit(t, file, func(string) string { return "" }) }},
		{migrate.WrongSize, func(t *testing.T, _, file string, _ *fake) { edit(t, file, func(s string) string { return s + "x" }) }},
		{migrate.WrongFlags, func(t *testing.T, _, file string, _ *fake) { must(t, os.Rename(file, file+"S")) }},
		{migrate.WrongDate, func(t *testing.T, _, file string, _ *fake) {
			must(t, os.Chtimes(file, time.Unix(1, 0), time.Unix(1, 0)))
		}},
		{migrate.Unreadable, func(t *testing.T, _, file string, _ *fake) {
			info, err := os.Stat(file)
			must(t, err)
			must(t, os.Remove(file))
			must(t, os.Symlink("/dev/null", file))
			_ = info
		}},
		{migrate.Extra, func(t *testing.T, _, file string, _ *fake) {
			b, err := os.ReadFile(file)
			must(t, err)
			info, err := os.Stat(file)
			must(t, err)
			other := filepath.Join(filepath.Dir(file), "1.other:2,")
			must(t, os.WriteFile(other, b, 0o600))
			must(t, os.Chtimes(other, info.ModTime(), info.ModTime()))
		}},
		{migrate.MailboxMissing, func(t *testing.T, dir, _ string, _ *fake) { must(t, os.RemoveAll(filepath.Join(dir, ".x"))) }},
		{migrate.NotCopied, func(_ *testing.T, _, _ string, f *fake) {
			f.boxes[1].list = append(f.boxes[1].list, box("x", 70, 12).list[11])
		}},
	} {
		dir := t.TempDir()
		f := &fake{boxes: []*fakeBox{box("INBOX", 0, 5), box("x", 50, 11)}}
		dst := maildirtree.New(dir, maildirtree.Options{})
		mustRun(t, f, dst, migrate.Options{Verify: migrate.VerifyBodies})
		files, err := filepath.Glob(dir + "/.x/cur/*")
		must(t, err)
		slices.Sort(files)
		test.damage(t, dir, files[4], f)
		r, err := migrate.Verify(t.Context(), f, dst, migrate.Options{})
		kinds := make(map[migrate.Damage]bool)
		for _, p := range r.Problems {
			kinds[p.Kind] = true
		}
		if err == nil || !kinds[test.kind] || r.Different == 0 {
			t.Errorf("%s: %v, %+v", test.kind, err, r.Problems)
		}
		if len(r.Problems) > 2 {
			t.Errorf("%s: %d problems, %+v", test.kind, len(r.Problems), r.Problems)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func edit(t *testing.T, file string, change func(string) string) {
	t.Helper()
	b, err := os.ReadFile(file)
	must(t, err)
	info, err := os.Stat(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(change(string(b))), 0o600))
	must(t, os.Chtimes(file, info.ModTime(), info.ModTime()))
}

// The bodies that are copied are not held in memory, nor does what is remembered of
// many messages grow with them while it is merged.
func TestLargeMessage(t *testing.T) {
	b := box("INBOX", 0, 1)
	b.list[0].body = text(1, 8<<20)
	b.list[0].Size = int64(len(b.list[0].body))
	dst, _, _ := newAccount(t, storeaccount.Options{})
	mustRun(t, &fake{boxes: []*fakeBox{b}}, dst, migrate.Options{Verify: migrate.VerifyBodies})
}

// Pages carry many passes, and come together when there are too many runs.
func TestManyPasses(t *testing.T) {
	f := &fake{boxes: []*fakeBox{box("INBOX", 0, 0)}}
	b := f.boxes[0]
	all := box("INBOX", 0, 2000).list
	dst, _, s := newAccount(t, storeaccount.Options{})
	for n := range 40 {
		b.list = all[:50*(n+1)]
		if r := mustRun(t, f, dst, migrate.Options{}); r.Copied != 50 {
			t.Fatalf("pass %d: %+v", n, r.Totals)
		}
	}
	entries := 0
	for e, err := range mustOpen(t, s).Entries(t.Context(), store.EntryQuery{Prefix: "migrate/"}) {
		must(t, err)
		if len(e.Value) > migrate.MaxNote {
			t.Errorf("%d octets", len(e.Value))
		}
		entries++
	}
	if entries > 20 {
		t.Errorf("%d entries", entries)
	}
	mustRun(t, f, dst, migrate.Options{Verify: migrate.VerifyBodies})
}
