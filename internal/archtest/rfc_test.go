package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
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

// TestRFCTable asserts that each row of docs/rfc.md has a status, says "full"
// only of a text that was read whole, and names packages that exist.
func TestRFCTable(t *testing.T) {
	root := repoRoot(t)
	table, err := os.ReadFile(filepath.Join(root, "docs", "rfc.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		if !strings.HasPrefix(line, "| [") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 {
			t.Errorf("want 4 columns: %s", line)
			continue
		}
		name, status, where := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[2]), strings.TrimSpace(cells[3])
		if seen[name] {
			t.Errorf("two rows for %s", name)
		}
		seen[name] = true
		for _, fault := range rfcRowFaults(root, status, where) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// rfcRowFaults lists what is wrong with a status and the packages beside it.
func rfcRowFaults(root, status, where string) (faults []string) {
	word, _, _ := strings.Cut(status, ":")
	word, _, _ = strings.Cut(word, ";")
	switch word {
	case "—":
		if where != "" {
			faults = append(faults, "not implemented, but there is a package")
		}
		return faults
	case "full", "partial", "cited":
	default:
		faults = append(faults, "unknown status "+word)
	}
	if word == "full" && strings.Contains(status, "not read") {
		faults = append(faults, "full, though the text was not read whole")
	}
	if where == "" {
		faults = append(faults, "no package")
	}
	for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(where, -1) {
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
			faults = append(faults, "no package "+m[1])
		}
	}
	return faults
}
