package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// errMissing: PostgreSQL is not installed, or not on this platform.
var errMissing = errors.New("pgtest: PostgreSQL is not installed")

// skip ends a test that has no PostgreSQL.
func skip(t testing.TB) {
	t.Helper()
	if os.Getenv("MAILSTEAD_PEERS") == "required" {
		t.Fatal("PostgreSQL is not installed, and MAILSTEAD_PEERS=required")
	}
	t.Skip("PostgreSQL is not installed")
}

// programs is the directory with the server's programs: those of the newest
// version that Debian has installed, else of PATH.
func programs() (string, error) {
	if !supported || os.Getenv("MAILSTEAD_PEERS") == "none" {
		return "", errMissing
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) > 0 {
		newest := slices.MaxFunc(found, func(x, y string) int { return version(x) - version(y) })
		return filepath.Dir(newest), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errMissing
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", errMissing
	}
	return filepath.Dir(path), nil
}

// version is N of /usr/lib/postgresql/N/bin/initdb.
func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}
