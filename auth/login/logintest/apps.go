package logintest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailstead/mailstead/auth/login"
)

// AppEditor is an Editor that keeps app passwords.
type AppEditor interface {
	login.Editor
	login.AppPasswordEditor
}

// AppPasswordEditor judges a login.AppPasswordEditor, beside what Editor does.
func AppPasswordEditor(t *testing.T, open func(t *testing.T) AppEditor) {
	t.Run("create", func(t *testing.T) { appCreate(t, open(t)) })
	t.Run("refusals", func(t *testing.T) { appRefusals(t, open(t)) })
	t.Run("use", func(t *testing.T) { appUse(t, open(t)) })
	t.Run("end", func(t *testing.T) { appEnd(t, open(t)) })
}

// apps returns the app passwords of alice.
func apps(t *testing.T, e AppEditor) []login.AppPassword {
	t.Helper()
	rec, err := e.Lookup(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return rec.AppPasswords
}

func set(t *testing.T, e AppEditor) {
	t.Helper()
	if err := e.Set(t.Context(), "alice", Hash(t, "own")); err != nil {
		t.Fatal(err)
	}
}

func appCreate(t *testing.T, e AppEditor) {
	set(t, e)
	before := time.Now().Truncate(time.Second)
	text, err := login.CreateAppPassword(t.Context(), e, "Alice", "Telefon, grün: 100% 📱", login.IMAP, login.SMTP)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := login.CreateAppPassword(t.Context(), e, "alice", "a second"); err != nil {
		t.Fatal(err)
	}
	list := apps(t, e)
	i := slices.IndexFunc(list, func(p login.AppPassword) bool { return p.Name == "Telefon, grün: 100% 📱" })
	if len(list) != 2 || i < 0 {
		t.Fatalf("app passwords %+v", list)
	}
	p := list[i]
	if ok, err := login.Verify(p.Hash, text); !ok || err != nil {
		t.Errorf("the hash does not fit the text: %v", err)
	}
	if strings.Contains(p.Hash, text.Reveal()) {
		t.Error("the text is kept")
	}
	if !slices.Equal(p.Protocols, []login.Protocol{login.IMAP, login.SMTP}) || len(list[1-i].Protocols) != 0 {
		t.Errorf("protocols %q and %q", p.Protocols, list[1-i].Protocols)
	}
	if p.Created.Before(before) || p.Created.After(time.Now()) || !p.LastUsed.IsZero() {
		t.Errorf("created %v, used %v", p.Created, p.LastUsed)
	}
}

func appRefusals(t *testing.T, e AppEditor) {
	ctx, check := t.Context(), wants(t)
	good := login.AppPassword{Name: "phone", Hash: Hash(t, "x")}
	check("set", e.Set(ctx, "bob", good.Hash), nil) // a file has to be there
	check("unknown user", e.AddAppPassword(ctx, "alice", good), login.ErrNoUser)
	check("unknown user", e.DeleteAppPassword(ctx, "alice", "phone"), login.ErrNoUser)
	check("unknown user", e.SetAppPasswordsOnly(ctx, "alice", true), login.ErrNoUser)
	set(t, e)
	check("add", e.AddAppPassword(ctx, "ALICE", good), nil)
	for name, p := range map[string]login.AppPassword{
		"name taken": good, "no name": {Hash: good.Hash}, "line in name": {Name: "a\nb", Hash: good.Hash},
		"long name": {Name: strings.Repeat("x", 200), Hash: good.Hash}, "name not UTF-8": {Name: "\xff", Hash: good.Hash},
		"no hash": {Name: "a"}, "unusable hash": {Name: "a", Hash: "secret"},
		"protocol": {Name: "a", Hash: good.Hash, Protocols: []login.Protocol{"im ap"}},
	} {
		check(name, e.AddAppPassword(ctx, "alice", p), login.ErrAppPassword)
	}
	check("unknown", e.DeleteAppPassword(ctx, "alice", "x"), login.ErrNoAppPassword)
	for i := len(apps(t, e)); i < 64; i++ {
		check("many", e.AddAppPassword(ctx, "alice", login.AppPassword{Name: fmt.Sprint(i), Hash: good.Hash}), nil)
	}
	check("too many", e.AddAppPassword(ctx, "alice", login.AppPassword{Name: "x", Hash: good.Hash}), login.ErrAppPassword)
}

func appUse(t *testing.T, e AppEditor) {
	ctx, check := t.Context(), wants(t)
	set(t, e)
	for _, name := range []string{"phone", "laptop"} {
		check("add", e.AddAppPassword(ctx, "alice", login.AppPassword{Name: name, Hash: Hash(t, name)}), nil)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	used := func(name string, want time.Time) {
		t.Helper()
		for _, p := range apps(t, e) {
			if p.Name == name && !p.LastUsed.Equal(want) {
				t.Errorf("%s: last used %v, want %v", name, p.LastUsed, want)
			}
		}
	}
	check("use", e.UseAppPassword(ctx, "Alice", "phone", at), nil)
	used("phone", at)
	used("laptop", time.Time{})
	check("later use", e.UseAppPassword(ctx, "alice", "phone", at.Add(time.Hour)), nil)
	check("use", e.UseAppPassword(ctx, "alice", "laptop", at), nil)
	check("earlier use", e.UseAppPassword(ctx, "alice", "phone", at), nil)
	used("phone", at.Add(time.Hour))
	used("laptop", at)
	check("use of nothing", e.UseAppPassword(ctx, "alice", "tablet", at), nil)
	check("use by nobody", e.UseAppPassword(ctx, "bob", "phone", at), nil)
	check("delete", e.DeleteAppPassword(ctx, "alice", "phone"), nil)
	check("use after the end", e.UseAppPassword(ctx, "alice", "phone", at.Add(2*time.Hour)), nil)
	if list := apps(t, e); len(list) != 1 || list[0].Name != "laptop" || !list[0].LastUsed.Equal(at) {
		t.Errorf("left: %+v", list)
	}
}

func appEnd(t *testing.T, e AppEditor) {
	ctx, check := t.Context(), wants(t)
	set(t, e)
	check("add", e.AddAppPassword(ctx, "alice", login.AppPassword{Name: "phone", Hash: Hash(t, "x")}), nil)
	check("only", e.SetAppPasswordsOnly(ctx, "Alice", true), nil)
	check("set", e.Set(ctx, "alice", Hash(t, "new")), nil)
	if rec, err := e.Lookup(ctx, "alice"); err != nil || !rec.AppPasswordsOnly || len(rec.AppPasswords) != 1 {
		t.Errorf("a new password of his own changed more: %+v, %v", rec, err)
	}
	check("not only", e.SetAppPasswordsOnly(ctx, "alice", false), nil)
	if rec, _ := e.Lookup(ctx, "alice"); rec.AppPasswordsOnly {
		t.Error("still app passwords only")
	}
	check("delete", e.Delete(ctx, "alice"), nil)
	set(t, e)
	if list := apps(t, e); len(list) != 0 {
		t.Errorf("app passwords of a deleted user came back: %+v", list)
	}
}
