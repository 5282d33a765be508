package archtest

import (
	"go/ast"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestExamples asserts that each package which others can import says what it is
// for, and has an example that is compiled. The packages of
// testdata/without-example.txt have none yet; the list only gets shorter.
func TestExamples(t *testing.T) {
	public, described, shown := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, s := range sources(t, withTests) {
		dir := s.dir()
		if !s.test && s.ast.Name.Name != "main" && !isPrivate(dir) {
			public[dir] = true
			described[dir] = described[dir] || strings.HasPrefix(s.ast.Doc.Text(), "Package "+s.ast.Name.Name+" ")
		}
		shown[dir] = shown[dir] || s.test && hasExample(s.ast)
	}
	without := strings.Fields(readText(t, repoRoot(t), "internal/archtest/testdata/without-example.txt"))
	for _, dir := range slices.Sorted(maps.Keys(public)) {
		switch listed := slices.Contains(without, dir); {
		case !described[dir]:
			t.Errorf("%s has no package comment", dir)
		case !shown[dir] && !listed:
			t.Errorf("%s has no Example", dir)
		case shown[dir] && listed:
			t.Errorf("testdata/without-example.txt: %s has an Example now", dir)
		}
	}
	for _, dir := range without {
		if !public[dir] {
			t.Errorf("testdata/without-example.txt: there is no package %s", dir)
		}
	}
	if len(public) < 100 {
		t.Errorf("%d packages were found; there are more", len(public))
	}
}

// isPrivate reports whether nobody else imports a package: internal ones, the
// programs, and what only helps the tests of another package.
func isPrivate(dir string) bool {
	parts := strings.Split(dir, "/")
	return slices.Contains(parts, "internal") || parts[0] == "examples" ||
		slices.Contains(parts, "testdata") || path.Base(dir) == path.Base(path.Dir(dir))+"test" && len(parts) > 3
}

func hasExample(f *ast.File) bool {
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Example")
	})
}
