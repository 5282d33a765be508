package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const modulePath = "github.com/mailstead/mailstead"

// A pkg is what the go command says about a package.
type pkg struct {
	ImportPath   string
	Standard     bool
	Module       *struct{ Path string }
	Imports      []string
	Deps         []string
	TestImports  []string
	XTestImports []string
}

// rel is the path within the root module; ok is false for other packages.
func rel(importPath string) (path string, ok bool) {
	if importPath == modulePath {
		return ".", true
	}
	return strings.CutPrefix(importPath, modulePath+"/")
}

// listRoot returns the packages of the root module, and all that they and
// their tests need by import path.
func listRoot(t *testing.T) (own []*pkg, all map[string]*pkg) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-test",
		"-json=ImportPath,Standard,Module,Imports,Deps,TestImports,XTestImports", "./...")
	cmd.Dir = repoRoot(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	all = map[string]*pkg{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		p := &pkg{}
		err := dec.Decode(p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		// "x [y.test]" and "y.test" are what the tests of y are built from.
		if strings.HasSuffix(p.ImportPath, ".test") || strings.Contains(p.ImportPath, " ") {
			continue
		}
		all[p.ImportPath] = p
		if p.Module != nil && p.Module.Path == modulePath {
			own = append(own, p)
		}
	}
	return own, all
}

func find(own []*pkg, path string) *pkg {
	for _, p := range own {
		if r, _ := rel(p.ImportPath); r == path {
			return p
		}
	}
	return nil
}

func TestImportsPointDown(t *testing.T) {
	own, _ := listRoot(t)
	for _, p := range own {
		path, _ := rel(p.ImportPath)
		if path == "." {
			continue
		}
		i := slices.IndexFunc(layers(), func(l layer) bool { return matches(l.pkg, path) })
		if i < 0 {
			t.Errorf("%s has no place in the architecture: add it to layers_test.go", path)
			continue
		}
		for _, imp := range p.Imports {
			r, ours := rel(imp)
			if ours && !matches("internal/...", r) && !matchesAny(layers()[i].allow, r) {
				t.Errorf("%s imports %s; allowed are %v and internal/", path, r, layers()[i].allow)
			}
		}
	}
}

func TestServersKeepNoMail(t *testing.T) {
	own, _ := listRoot(t)
	for _, name := range servers() {
		p := find(own, name)
		if p == nil {
			continue
		}
		for _, dep := range p.Deps {
			if r, ours := rel(dep); ours && matchesAny(notForServers(), r) {
				t.Errorf("%s links %s", name, r)
			}
		}
	}
}

func TestLightPackages(t *testing.T) {
	own, all := listRoot(t)
	heavy := []string{"database/sql", "database/sql/driver", "net/http", "net/rpc", "html/template", "expvar"}
	for _, l := range lightPackages() {
		p := find(own, l.pkg)
		if p == nil {
			continue
		}
		for _, dep := range p.Deps {
			d := all[dep]
			switch _, ours := rel(dep); {
			case ours, d == nil:
			case d.Standard && slices.Contains(heavy, dep):
				t.Errorf("%s links %s", l.pkg, dep)
			case d.Standard, d.Module != nil && slices.Contains(l.modules, d.Module.Path):
			case d.Module != nil && d.Module.Path == "golang.org/x/text" && neededByIDNA(all, dep):
			default:
				t.Errorf("%s links %s, which is not among %v", l.pkg, dep, l.modules)
			}
		}
	}
}

// neededByIDNA reports whether x/net/idna itself links the package.
func neededByIDNA(all map[string]*pkg, dep string) bool {
	idna := all["golang.org/x/net/idna"]
	return idna != nil && slices.Contains(idna.Deps, dep)
}

func TestThirdParty(t *testing.T) {
	own, all := listRoot(t)
	code, tests := rootModules()
	tests = slices.Concat(code, tests)
	for _, p := range own {
		path, _ := rel(p.ImportPath)
		forCode, forTests := code, tests
		if slices.Contains(suites(), path) {
			forCode, forTests = nil, nil
		}
		for _, dep := range p.Imports {
			checkModule(t, path, all[dep], forCode)
		}
		for _, dep := range slices.Concat(p.TestImports, p.XTestImports) {
			checkModule(t, path+" (tests)", all[dep], forTests)
		}
	}
}

func checkModule(t *testing.T, who string, dep *pkg, allowed []string) {
	t.Helper()
	if dep == nil || dep.Standard || dep.Module == nil || dep.Module.Path == modulePath {
		return
	}
	if !slices.Contains(allowed, dep.Module.Path) {
		t.Errorf("%s imports %s, which is not among %v", who, dep.ImportPath, allowed)
	}
}

// TestNestedModulesUseNoInternals reads the sources themselves: what a nested
// module imports has to work for a consumer outside of this repository too.
func TestNestedModulesUseNoInternals(t *testing.T) {
	for _, f := range sources(t, withTests) {
		if f.module == "." {
			continue
		}
		for _, imp := range f.ast.Imports {
			path := strings.Trim(imp.Path.Value, `"`)
			r, ours := rel(path)
			own := r == f.module || strings.HasPrefix(r, f.module+"/")
			if ours && !own && slices.Contains(strings.Split(r, "/"), "internal") {
				t.Errorf("%s imports %s: internal packages of the root module are not for nested modules", f.path, path)
			}
		}
	}
}

// TestNestedModulesPointDown: the directions of the root module hold for them
// too.
func TestNestedModulesPointDown(t *testing.T) {
	for _, f := range sources(t, withoutTests) {
		if f.module == "." {
			continue
		}
		i := slices.IndexFunc(nestedLayers(), func(l layer) bool { return matches(l.pkg, f.module) })
		if i < 0 {
			t.Errorf("%s has no place in the architecture: add it to layers_test.go", f.module)
			continue
		}
		for _, imp := range f.ast.Imports {
			r, ours := rel(strings.Trim(imp.Path.Value, `"`))
			if ours && !matches(f.module+"/...", r) && !matchesAny(nestedLayers()[i].allow, r) {
				t.Errorf("%s imports %s; allowed are %v", f.path, r, nestedLayers()[i].allow)
			}
		}
	}
}
