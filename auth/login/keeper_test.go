package login_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/auth/login"
	"github.com/mailstead/mailstead/auth/login/filelogin"
	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// SCRAM is offered while every password that lets somebody in can be used with
// it: a user without a verifier, or an app password, ends that.
func TestKeepers(t *testing.T) {
	verifier, err := login.HashSCRAM("SCRAM-SHA-256", login.NewPassword("secret"), saslmech.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := login.HashPassword(login.NewPassword("secret"), login.Params{MemoryKiB: 8, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]interface {
		login.CredentialEditor
		login.AppPasswordEditor
		login.Keeper
	}{
		"memory": &login.Memory{},
		"file":   &filelogin.File{Path: filepath.Join(t.TempDir(), "passwd")},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			step := func(what string, want bool, err error) {
				t.Helper()
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				if got := b.Keeps("SCRAM-SHA-256"); got != want || b.Keeps("SCRAM-SHA-512") {
					t.Errorf("%s: %t", what, got)
				}
			}
			step("no users", false, nil)
			step("a verifier", true, b.Set(ctx, "alice", verifier))
			step("a hash and a verifier", true, b.SetCredentials(ctx, "bob", login.Credentials{Hash: hash, Secrets: []string{verifier}}))
			step("the verifier twice", true, b.SetCredentials(ctx, "dora", login.Credentials{Hash: verifier, Secrets: []string{hash, verifier}}))
			step("a hash alone", false, b.Set(ctx, "carl", hash))
			step("his being disabled", true, b.Disable(ctx, "carl", true))
			step("his being enabled", false, b.Disable(ctx, "carl", false))
			step("his end", true, b.Delete(ctx, "carl"))
			step("an app password", false, b.AddAppPassword(ctx, "alice", login.AppPassword{Name: "phone", Hash: hash}))
			step("its end", true, b.DeleteAppPassword(ctx, "alice", "phone"))
		})
	}
}

// A file that cannot be read keeps nothing.
func TestFileKeepsUnreadable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "passwd")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if (&filelogin.File{Path: dir}).Keeps("SCRAM-SHA-256") {
		t.Error("a directory keeps secrets")
	}
}
