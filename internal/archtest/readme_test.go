package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReadmeExample asserts that the program in README.md is examples/hello,
// to the letter, so that what a reader copies is what the tests build.
func TestReadmeExample(t *testing.T) {
	root := repoRoot(t)
	readme := readText(t, root, "README.md")
	_, rest, ok := strings.Cut(readme, "\n```go\n")
	if !ok {
		t.Fatal("README.md has no program")
	}
	program, _, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("README.md: the program has no end")
	}
	if program != readText(t, root, "examples/hello/main.go") {
		t.Error("the program in README.md differs from examples/hello/main.go")
	}
}

// TestReadmePackages asserts that the packages in the table of README.md exist.
func TestReadmePackages(t *testing.T) {
	root := repoRoot(t)
	name := regexp.MustCompile("`([a-z0-9/]+)`")
	packages := 0
	for line := range strings.Lines(readText(t, root, "README.md")) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(line, -1) {
			packages++
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("README.md names the package %s, which does not exist", m[1])
			}
		}
	}
	if packages == 0 {
		t.Error("README.md has no table of packages")
	}
}

// TestLinksInDocuments asserts that the files and the headings which the
// documents link to exist.
func TestLinksInDocuments(t *testing.T) {
	root := repoRoot(t)
	documents := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			documents = append(documents, slashRel(root, f))
		}
	}
	link := regexp.MustCompile(`\]\(([^)#:]*)(?:#([^)]*))?\)`)
	for _, doc := range documents {
		dir := filepath.Dir(filepath.Join(root, filepath.FromSlash(doc)))
		for _, m := range link.FindAllStringSubmatch(readText(t, root, doc), -1) {
			target := filepath.Join(dir, filepath.FromSlash(m[1]))
			if m[1] == "" {
				target = filepath.Join(root, filepath.FromSlash(doc))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", doc, m[1])
			} else if m[2] != "" && !slices.Contains(anchors(t, target), m[2]) {
				t.Errorf("%s links to %s#%s: there is no such heading", doc, m[1], m[2])
			}
		}
	}
}

// anchors returns the names that a forge gives to the headings of a document.
func anchors(t *testing.T, path string) (names []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fence := regexp.MustCompile("(?ms)^```.*?^```$")
	other := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(fence.ReplaceAll(text, nil), -1) {
		name := other.ReplaceAllString(strings.ToLower(string(m[1])), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// TestGuideCode asserts that each piece of Go in the documents stands in a source
// of this repository, whatever its indentation and comments, so that it compiles.
func TestGuideCode(t *testing.T) {
	root := repoRoot(t)
	var code []string
	for _, s := range sources(t, withTests) {
		code = append(code, unindent(readText(t, root, s.path)))
	}
	guides, err := filepath.Glob(filepath.Join(root, "docs", "guide", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/ARCHITECTURE.md"} {
		guides = append(guides, filepath.Join(root, filepath.FromSlash(doc)))
	}
	fence := regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	for _, g := range guides {
		for _, m := range fence.FindAllStringSubmatch(readText(t, root, slashRel(root, g)), -1) {
			quoted := unindent(m[1])
			if !slices.ContainsFunc(code, func(c string) bool { return strings.Contains(c, quoted) }) {
				t.Errorf("%s: no source has this code:\n%s", slashRel(root, g), m[1])
			}
		}
	}
}

// unindent removes white space at both ends of each line, comments, and lines
// with nothing else.
func unindent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(line)
		if code, _, ok := strings.Cut(line, " //"); ok {
			line = strings.TrimSpace(code)
		}
		if line == "" || strings.HasPrefix(line, "//") {
			continue
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}

func readText(t *testing.T, root, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
