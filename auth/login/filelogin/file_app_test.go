package filelogin

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/internal/vfs"
)

// The fields of Dovecot's passwd-file that mean something here.
func TestFileExtraFields(t *testing.T) {
	h := mustHash(t, "secret")
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, strings.Join([]string{
		"plain:" + h + ":5000:5000:Gecos:/home/plain:/bin/sh:userdb_mail=maildir:~/Maildir userdb_quota_rule=*:bytes=1G",
		"off:" + h + "::::::nologin", "off2:" + h + "::::::userdb_x=1 nologin=y", "on:" + h + "::::::nologin=no",
		"noauth:" + h + "::::::noauthenticate", "alias:" + h + "::::::user=Real@Example.org",
		"alias2:" + h + "::::::userdb_user=real", "nets:" + h + "::::::allow_nets=192.0.2.0/24,2001:db8::1,local",
		"bad:" + h + "::::::allow_nets=192.0.2.0/33", "only:" + h + "::::::app_passwords_only",
		"secret:" + h + "::::::secret=" + h + " secret=" + h, "badsecret:" + h + "::::::secret=x", "nopass:::::::nopassword",
		"mail:" + h + ":1:1:::::userdb_mail=old:format",
	}, "\n"))
	f := &File{Path: path, Logger: quiet}
	nets := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128"), {}}
	for user, want := range map[string]login.Record{
		"plain": {}, "off": {Disabled: true}, "off2": {Disabled: true}, "on": {}, "noauth": {Disabled: true},
		"alias": {Account: "real@example.org"}, "alias2": {Account: "real"}, "nets": {AllowNets: nets},
		"only": {AppPasswordsOnly: true}, "secret": {Secrets: []string{h, h}}, "nopass": {Disabled: true}, "mail": {},
	} {
		rec, err := f.Lookup(t.Context(), user)
		if want.Account == "" {
			want.Account = user
		}
		if user != "nopass" {
			want.Hash = h
		}
		if err != nil || fmt.Sprint(rec) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, %v", user, rec, err)
		}
	}
	broken, _ := f.Broken()
	if len(broken) != 2 || !errors.Is(broken[0].Err, login.ErrNets) || broken[0].Line != 9 || !errors.Is(broken[1].Err, login.ErrHash) {
		t.Errorf("broken %v", broken)
	}
}

// What a change of one thing leaves of the others.
func TestFileExtraKept(t *testing.T) {
	h, h2 := mustHash(t, "one"), mustHash(t, "two")
	path := filepath.Join(t.TempDir(), "passwd")
	f := &File{Path: path, Logger: quiet}
	line := func() string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(string(b), "\n")
	}
	write(t, path, "a:"+h+":1:2:g:/h:/s:userdb_mail=x:y nologin secret="+h+" allow_nets=::1\n")
	for _, step := range []struct {
		name string
		err  error
		want string
	}{
		{"set", f.Set(t.Context(), "a", h2), ""},
		{"enable", f.Disable(t.Context(), "a", false), "a:" + h2 + ":1:2:g:/h:/s:userdb_mail=x:y allow_nets=::1"},
	} {
		if got := line(); step.err != nil || step.want != "" && got != step.want {
			t.Errorf("%s: %v, %s", step.name, step.err, got)
		}
	}
	if err := f.SetAppPasswordsOnly(t.Context(), "a", true); err != nil || line() != "a:"+h2+":1:2:g:/h:/s:userdb_mail=x:y allow_nets=::1 app_passwords_only" {
		t.Errorf("only: %v, %s", err, line())
	}
	write(t, path, "b:"+h+"\n")
	c := login.Credentials{Hash: h, Secrets: []string{h2}}
	if err := f.SetCredentials(t.Context(), "b", c); err != nil || line() != "b:"+h+"::::::secret="+h2 {
		t.Errorf("secret: %v, %s", err, line())
	}
	if err := f.Set(t.Context(), "b", h); err != nil || line() != "b:"+h {
		t.Errorf("no secret: %v, %s", err, line())
	}
}

func TestFileBrokenApps(t *testing.T) {
	h := "{SSHA256}lXT7qF+fT7OVoVlwD0tMd02E1ak2dLDbk993wZxIM65zYWx0MTIzNA=="
	path := filepath.Join(t.TempDir(), "passwd")
	write(t, path, "alice:"+h+"\nbob:"+h+"\n")
	apps := strings.Join([]string{
		"# apps", "alice:phone:" + h + ":imap,smtp:1700000000:1700000001", "no fields", "alice:%zz:" + h + ":::", "alice:phone:" + h + ":::",
		"alice:tab:x:::", "al ice:x:" + h + ":::", "alice:x:" + h + "::-1:", "alice:y:" + h + "::x:", "alice:z:" + h + ":im%20ap::", "bob:my+laptop:" + h + ":::", "",
	}, "\n")
	write(t, path+".app", apps)
	f := &File{Path: path, Logger: quiet}
	rec, err := f.Lookup(t.Context(), "alice")
	want := login.AppPassword{Name: "phone", Hash: h, Protocols: []login.Protocol{login.IMAP, login.SMTP}, Created: time.Unix(1700000000, 0).UTC(), LastUsed: time.Unix(1700000001, 0).UTC()}
	if err != nil || len(rec.AppPasswords) != 1 || fmt.Sprint(rec.AppPasswords[0]) != fmt.Sprint(want) {
		t.Errorf("%+v, %v", rec, err)
	}
	broken, err := f.BrokenApps()
	var lines []int
	for _, b := range broken {
		lines = append(lines, b.Line)
	}
	if err != nil || !slices.Equal(lines, []int{3, 4, 5, 6, 7, 8, 9, 10}) {
		t.Errorf("broken %v, %v", broken, err)
	}
	if err := f.DeleteAppPassword(t.Context(), "bob", "my laptop"); err != nil {
		t.Error(err)
	}
	got, _ := os.ReadFile(path + ".app")
	if want := strings.Replace(apps, "bob:my+laptop:"+h+":::\n", "", 1); string(got) != want {
		t.Errorf("another line changed:\n%s", got)
	}
}

// A use is written at most once a minute, and no earlier time comes back.
func TestFileUses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		_ = mem.MkdirAll("/d", 0o700)
		var writes int
		f := &File{Path: "/d/passwd", Logger: quiet, fsys: vfs.NewFault(mem, func(op vfs.Op) error {
			if op.Kind == vfs.OpRename {
				writes++
			}
			return nil
		})}
		h := mustHash(t, "x")
		for _, err := range []error{f.Set(t.Context(), "alice", h), f.AddAppPassword(t.Context(), "alice", login.AppPassword{Name: "a", Hash: h}), f.AddAppPassword(t.Context(), "alice", login.AppPassword{Name: "b", Hash: h})} {
			if err != nil {
				t.Fatal(err)
			}
		}
		writes = 0
		for range 100 {
			for _, name := range []string{"a", "b"} {
				if err := f.UseAppPassword(t.Context(), "alice", name, time.Now()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second)
		}
		if writes != 2 {
			t.Errorf("%d writes in 100 s", writes)
		}
		last := time.Now().Add(-time.Second).UTC()
		used := func(f *File) (list []time.Time) {
			rec, err := f.Lookup(t.Context(), "alice")
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range rec.AppPasswords {
				list = append(list, p.LastUsed)
			}
			return list
		}
		other := &File{Path: "/d/passwd", Logger: quiet, fsys: mem}
		if got := used(f); !slices.Equal(got, []time.Time{last, last}) || slices.Equal(used(other), got) {
			t.Errorf("this one knows %v, another %v", got, used(other))
		}
		if err := f.Flush(t.Context()); err != nil || !slices.Equal(used(other), used(f)) {
			t.Errorf("after Flush, %v: this one knows %v, another %v", err, used(f), used(other))
		}
		if err := f.Flush(t.Context()); err != nil || writes != 3 {
			t.Errorf("a Flush of nothing writes: %d, %v", writes, err)
		}
	})
}

// The app passwords of a user go with him, and what is left of an earlier user
// is nobody's.
func TestFileAppsEnd(t *testing.T) {
	h := mustHash(t, "x")
	path := filepath.Join(t.TempDir(), "passwd")
	f := &File{Path: path, Logger: quiet}
	apps := func() string {
		b, _ := os.ReadFile(path + ".app")
		return string(b)
	}
	for _, err := range []error{
		f.Set(t.Context(), "alice", h), f.AddAppPassword(t.Context(), "alice", login.AppPassword{Name: "a", Hash: h}), f.Delete(t.Context(), "alice"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(apps(), "alice") {
		t.Errorf("after Delete: %s", apps())
	}
	write(t, path+".app", "alice:a:"+h+":::\nbob:a:"+h+":::\n")
	if err := f.Set(t.Context(), "alice", h); err != nil || strings.Contains(apps(), "alice") || !strings.Contains(apps(), "bob") {
		t.Errorf("a new alice has those of an earlier one: %v, %s", err, apps())
	}
	if err := f.Set(t.Context(), "alice", h); err != nil {
		t.Fatal(err)
	}
}

// Two Files, as of two processes, that change one path lose nothing.
func TestFileTwoProcesses(t *testing.T) {
	h := mustHash(t, "x")
	path := filepath.Join(t.TempDir(), "passwd")
	files := []*File{{Path: path, Logger: quiet}, {Path: path, Logger: quiet}}
	done := make(chan error)
	for i := range 20 {
		go func() { done <- files[i%2].Set(t.Context(), fmt.Sprint("user", i), h) }()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := accounts(t, files[0]); len(got) != 20 {
		t.Errorf("%d accounts: a change was lost", len(got))
	}
}

func TestFileLockTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := vfs.NewMem()
		_ = mem.MkdirAll("/d", 0o700)
		held, err := mem.Lock("/d/passwd.lock")
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		f := &File{Path: "/d/passwd", fsys: mem}
		start := time.Now()
		if err := f.Set(t.Context(), "a", mustHash(t, "x")); !errors.Is(err, vfs.ErrLocked) || time.Since(start) < lockTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestFileTooLarge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "passwd")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(out.Truncate(maxFile+1), out.Close()); err != nil { // a hole
		t.Fatal(err)
	}
	f := &File{Path: path, Logger: quiet}
	if _, err := f.Lookup(t.Context(), "alice"); !errors.Is(err, errFileSize) {
		t.Errorf("lookup: %v", err)
	}
	if err := f.Set(t.Context(), "alice", mustHash(t, "x")); !errors.Is(err, errFileSize) {
		t.Errorf("set: %v", err)
	}
}

// A power cut at any operation of any change leaves the old users or the new
// ones, and what was acknowledged.
func TestFileCrash(t *testing.T) {
	h1, h2 := mustHash(t, "one"), mustHash(t, "two")
	steps := []func(f *File) error{
		func(f *File) error { return f.Set(t.Context(), "alice", h1) },
		func(f *File) error { return f.Set(t.Context(), "bob", h1) },
		func(f *File) error {
			return f.AddAppPassword(t.Context(), "alice", login.AppPassword{Name: "phone", Hash: h1})
		},
		func(f *File) error { return f.Rehash(t.Context(), "alice", h1, login.Credentials{Hash: h2}) },
		func(f *File) error { return f.Delete(t.Context(), "alice") },
		func(f *File) error { return f.Set(t.Context(), "alice", h1) },
	}
	// what a step leaves of alice: her hash and her app passwords.
	states := []string{"none", h1 + "0", h1 + "0", h1 + "1", h2 + "1", "none", h1 + "0"}
	state := func(f *File) string {
		rec, err := f.Lookup(t.Context(), "alice")
		switch {
		case errors.Is(err, login.ErrNoUser), errors.Is(err, fs.ErrNotExist):
			return "none"
		case err != nil:
			t.Fatal(err)
		}
		return rec.Hash + fmt.Sprint(len(rec.AppPasswords))
	}
	for k := 1; ; k++ {
		mem := vfs.NewMem()
		_ = mem.MkdirAll("/d", 0o700)
		fault := vfs.NewFault(mem, vfs.CrashAt(k))
		f := &File{Path: "/d/passwd", Logger: quiet, fsys: fault}
		acked := 0
		for _, step := range steps {
			if err := step(f); err != nil {
				break
			}
			acked++
		}
		if acked == len(steps) {
			t.Logf("%d operations", k-1)
			return
		}
		for seed := range uint64(8) {
			var dice *rand.Rand
			if seed > 0 {
				dice = rand.New(rand.NewPCG(seed, uint64(k)))
			}
			after := &File{Path: "/d/passwd", Logger: quiet, fsys: mem.Crash(dice)}
			got := state(after)
			allowed := got == states[acked] || got == states[acked+1]
			if steps4 := acked == 4 && got == h2+"0"; !allowed && !steps4 { // of Delete the app passwords go first
				t.Errorf("cut at operation %d after %d steps: %q", k, acked, got)
			}
			if broken, err := after.Broken(); err == nil && len(broken) > 0 {
				t.Errorf("cut at operation %d: broken lines %v", k, broken)
			}
			if err := after.Set(t.Context(), "carol", h1); err != nil {
				t.Errorf("cut at operation %d: %v", k, err)
			}
			if left, _ := after.fsys.ReadDir("/d"); len(left) > 3 { // passwd, passwd.app, passwd.lock
				t.Errorf("cut at operation %d: left behind %v", k, left)
			}
		}
	}
}

// An operation that fails makes the change fail, and loses no user.
func TestFileFaults(t *testing.T) {
	h1, h2 := mustHash(t, "one"), mustHash(t, "two")
	cause := errors.New("disk full")
	for k := 1; ; k++ {
		mem := vfs.NewMem()
		_ = mem.MkdirAll("/d", 0o700)
		f := &File{Path: "/d/passwd", Logger: quiet, fsys: mem}
		if err := f.Set(t.Context(), "alice", h1); err != nil {
			t.Fatal(err)
		}
		fault := vfs.NewFault(mem, vfs.FailAt(k, cause))
		f.fsys = fault
		err := f.Set(t.Context(), "alice", h2)
		if err == nil && fault.Count() < k {
			return
		}
		f.fsys = mem
		rec, lookup := f.Lookup(t.Context(), "alice")
		if lookup != nil || rec.Hash != h1 && rec.Hash != h2 || err == nil && rec.Hash != h2 {
			t.Errorf("operation %d failed: %v, then %+v, %v", k, err, rec, lookup)
		}
	}
}

func FuzzAppLine(f *testing.F) {
	for _, s := range []string{"alice:phone:{PLAIN}x:imap:1:2", "a:%3A+x:h:::", ":::::", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, err := parseAppLine(line)
		if err != nil {
			return
		}
		again, err := parseAppLine(p.String())
		if err != nil || fmt.Sprint(again) != fmt.Sprint(p) || strings.Count(p.String(), ":") != appFields-1 {
			t.Fatalf("%q: %+v, then %+v, %v", line, p, again, err)
		}
	})
}

func FuzzExtra(f *testing.F) {
	for _, s := range []string{":::::::nologin", ":1:2:g:/h:/s:a=b:c  secret={PLAIN}x", ":", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		if rest != "" && rest[0] != ':' || strings.ContainsAny(rest, "\r\n") {
			return
		}
		before, err := parseExtra(rest)
		if err != nil {
			return
		}
		changed := withExtra(rest, extraAppsOnly, extraAppsOnly)
		after, err := parseExtra(changed)
		before.appsOnly = true
		if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
			t.Fatalf("%q becomes %q: %+v, then %+v, %v", rest, changed, before, after, err)
		}
		if _, err := parseExtra(withExtra(changed, extraAppsOnly)); err != nil {
			t.Fatalf("%q: %v", changed, err)
		}
	})
}
