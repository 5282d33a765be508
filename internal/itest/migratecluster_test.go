package itest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

// TestMailctlMigrateCluster migrates into an account in PostgreSQL, whose large bodies
// lie in a bucket, and out of it again.
func TestMailctlMigrateCluster(t *testing.T) {
	db := pgtest.Start(t)
	place := db.TCP(pgtest.Name(t, db)) + "#" + alice
	blobs := "--blobs=" + bucket(t)
	s := &mailserver{data: t.TempDir()}
	eml, back := emlTree(t, 49), filepath.Join(t.TempDir(), "back")
	large := "Subject: large\r\n\r\n" + strings.Repeat(strings.Repeat("large ", 12)+"\r\n", 50_000)
	if err := os.WriteFile(filepath.Join(eml, "large.eml"), []byte(large), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"migrate", "eml:" + eml, place, blobs, "--create", "--state=" + t.TempDir(), "--verify=bodies"}
	if x := s.migrates(t, args...); x.Copied != 50 {
		t.Errorf("in: %+v", x)
	}
	if x := s.migrates(t, args...); x.Copied != 0 || x.Present != 50 {
		t.Errorf("in again: %+v", x)
	}
	args = []string{"migrate", place, "maildir:" + back, blobs, "--verify=bodies"}
	if x := s.migrates(t, args...); x.Copied != 50 {
		t.Errorf("out: %+v", x)
	}
	if x := s.migrates(t, args...); x.Copied != 0 || x.Present != 50 {
		t.Errorf("out again: %+v", x)
	}
}
