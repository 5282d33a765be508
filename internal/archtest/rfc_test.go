package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestCitedRFCs asserts that docs/rfc.md has a row for each RFC that a comment
// or a string of the code cites.
func TestCitedRFCs(t *testing.T) {
	root := repoRoot(t)
	table, err := os.ReadFile(filepath.Join(root, "docs", "rfc.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| \[?(?:RFC )?(\d+)\b`).FindAllSubmatch(table, -1) {
		rows[string(m[1])] = true
	}
	if len(rows) == 0 {
		t.Fatal("docs/rfc.md has no rows")
	}
	cite := regexp.MustCompile(`\bRFC[ -]?(\d{3,5})\b`)
	missing := map[string]bool{}
	for _, s := range sources(t, withTests) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(s.path)))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range cite.FindAllSubmatch(text, -1) {
			if n := string(m[1]); !rows[n] && !missing[n] {
				missing[n] = true
				t.Errorf("%s cites RFC %s, which has no row in docs/rfc.md", s.path, n)
			}
		}
	}
}
