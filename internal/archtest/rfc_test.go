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

// TestRFCPackages asserts that each package that a row of docs/rfc.md names cites
// the RFC, in the documentation or where its rules are.
func TestRFCPackages(t *testing.T) {
	root := repoRoot(t)
	texts, wrapped := map[string]string{}, regexp.MustCompile(`\s*\n\s*//\s*`)
	for _, s := range sources(t, withoutTests) {
		texts[filepath.ToSlash(filepath.Dir(s.path))] += wrapped.ReplaceAllString(readText(t, root, s.path), " ")
	}
	row := regexp.MustCompile(`(?m)^\| \[(\d+)\].*\|([^|]*)\|$`)
	named := 0
	for _, m := range row.FindAllStringSubmatch(readText(t, root, "docs/rfc.md"), -1) {
		cites := regexp.MustCompile(`RFCs?[ -]?(?:\d+(?:, | and | or |/))*` + m[1] + `\b`)
		for _, p := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(m[2], -1) {
			if named++; !cites.MatchString(texts[p[1]]) {
				t.Errorf("docs/rfc.md names %s for RFC %s, which it does not cite", p[1], m[1])
			}
		}
	}
	if named < 400 {
		t.Errorf("%d packages are named; there are more", named)
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
