package archtest

import (
	"bufio"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A source is one parsed Go file of this repository.
type source struct {
	path      string // relative to the root of the repository, with slashes
	module    string // directory of its module, "." for the root module
	test      bool   // name ends in _test.go
	generated bool
	lines     int
	fset      *token.FileSet
	ast       *ast.File
}

// dir is the directory of the package.
func (s *source) dir() string { return filepath.ToSlash(filepath.Dir(s.path)) }

type selection int

const (
	withoutTests selection = iota
	withTests
)

// repoRoot is the directory with go.work.
func repoRoot(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// parseAll reads every Go file of all modules that builds on this machine.
var parseAll = sync.OnceValues(func() ([]*source, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	var list []*source
	modules := []string{"."}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, rel := d.Name(), slashRel(root, path)
		if d.IsDir() {
			if name == "testdata" || name == "vendor" || path != root && strings.HasPrefix(name, ".") {
				return fs.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && rel != "." {
				modules = append(modules, rel)
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		if ok, err := build.Default.MatchFile(filepath.Dir(path), name); !ok || err != nil {
			return err
		}
		s := &source{path: rel, test: strings.HasSuffix(name, "_test.go"), fset: fset}
		if s.ast, err = parser.ParseFile(s.fset, path, nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return err
		}
		s.generated = ast.IsGenerated(s.ast)
		s.lines = s.fset.File(s.ast.FileStart).LineCount()
		s.module = owner(modules, rel)
		list = append(list, s)
		return nil
	})
	return list, err
})

func slashRel(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return path
	}
	return filepath.ToSlash(rel)
}

// owner is the deepest module that holds the file.
func owner(modules []string, path string) string {
	best := "."
	for _, m := range modules {
		if strings.HasPrefix(path, m+"/") && len(m) > len(best) {
			best = m
		}
	}
	return best
}

// sources returns the files that the rules are about: not the generated ones.
func sources(t *testing.T, which selection) []*source {
	t.Helper()
	all, err := parseAll()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(slices.Clone(all), func(s *source) bool {
		return s.generated || s.test && which == withoutTests
	})
}

// allowed holds the exceptions of testdata/allow.txt: lines "RULE PLACE # reason".
type allowed struct {
	rules map[string]bool // value: used
}

func readAllowed(t *testing.T, rule string) *allowed {
	t.Helper()
	f, err := os.Open("testdata/allow.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := &allowed{rules: map[string]bool{}}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		line, reason, _ := strings.Cut(sc.Text(), "#")
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0:
		case len(fields) != 2 || strings.TrimSpace(reason) == "":
			t.Errorf("testdata/allow.txt: want RULE PLACE # reason: %q", sc.Text())
		case fields[0] == rule:
			a.rules[fields[1]] = false
		}
	}
	return a
}

// has reports whether the exception exists, and remembers its use.
func (a *allowed) has(place string) bool {
	_, ok := a.rules[place]
	if ok {
		a.rules[place] = true
	}
	return ok
}

// unused reports exceptions that nothing needs any more.
func (a *allowed) unused(t *testing.T) {
	t.Helper()
	for place, used := range a.rules {
		if !used {
			t.Errorf("testdata/allow.txt: %s is not needed any more", place)
		}
	}
}
