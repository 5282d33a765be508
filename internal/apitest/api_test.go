package apitest

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestExportedNames(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := publicPackages(root)
	if err != nil {
		t.Fatal(err)
	}
	update := flag.Lookup("update").Value.String() == "true"
	golden := map[string]bool{}
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) {
			got, err := exported(filepath.Join(root, dir))
			if err != nil {
				t.Fatal(err)
			}
			if got == "" {
				return // no library
			}
			file := filepath.Join(root, "docs", "api", strings.ReplaceAll(dir, "/", ".")+".txt")
			golden[filepath.Base(file)] = true
			if update {
				if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(got), 0o644)); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				t.Skip("not frozen: no list in docs/api")
			}
			if err != nil {
				t.Fatal(err)
			}
			compare(t, string(want), got)
		})
	}
	lists, err := filepath.Glob(filepath.Join(root, "docs", "api", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		if !golden[filepath.Base(list)] {
			t.Errorf("docs/api/%s lists a package that is gone", filepath.Base(list))
		}
	}
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "write the lists in docs/api")
	flag.Parse()
	os.Exit(m.Run())
}

// compare reports the lines that only one side has.
func compare(t *testing.T, want, got string) {
	t.Helper()
	if want == got {
		return
	}
	before, after := strings.Split(want, "\n"), strings.Split(got, "\n")
	for _, line := range before {
		if !slices.Contains(after, line) {
			t.Errorf("- %s", line)
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			t.Errorf("+ %s", line)
		}
	}
	t.Error("the exported names differ from docs/api; if that is meant, run make api")
}

// publicPackages lists the directories below root that may hold a public package.
func publicPackages(root string) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name := d.Name()
		if path == root {
			return nil
		}
		if name == "internal" || name == "testdata" || name == "examples" || name == "docs" || strings.HasPrefix(name, ".") {
			return fs.SkipDir
		}
		rel, err := filepath.Rel(root, path)
		dirs = append(dirs, filepath.ToSlash(rel))
		return err
	})
	return dirs, err
}

// exported prints the exported declarations of the package in dir, sorted,
// without bodies, comments and the values of variables.
func exported(dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	fset := token.NewFileSet()
	var decls []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		if ok, err := build.Default.MatchFile(dir, filepath.Base(file)); !ok || err != nil {
			continue
		}
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		if f.Name.Name == "main" {
			return "", nil
		}
		ast.FileExports(f)
		for _, d := range f.Decls {
			text, err := declaration(fset, d)
			if err != nil {
				return "", err
			}
			if text != "" {
				decls = append(decls, text)
			}
		}
	}
	slices.Sort(decls)
	return strings.Join(decls, ""), nil
}

// declaration prints one declaration that ast.FileExports left.
func declaration(fset *token.FileSet, d ast.Decl) (string, error) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && !ast.IsExported(receiver(d.Recv.List[0].Type)) {
			return "", nil
		}
		d.Body = nil
	case *ast.GenDecl:
		if d.Tok == token.IMPORT {
			return "", nil
		}
		if d.Tok == token.VAR {
			return variables(fset, d)
		}
	}
	var b bytes.Buffer
	conf := printer.Config{Mode: printer.UseSpaces | printer.TabIndent, Tabwidth: 8}
	if err := conf.Fprint(&b, fset, d); err != nil {
		return "", err
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		if line = strings.TrimRight(line, "\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n") + "\n", nil
}

// variables prints names and types: a value is no part of the interface.
func variables(fset *token.FileSet, d *ast.GenDecl) (string, error) {
	var b strings.Builder
	for _, spec := range d.Specs {
		v := spec.(*ast.ValueSpec)
		var typ bytes.Buffer
		if v.Type != nil {
			typ.WriteByte(' ')
			if err := printer.Fprint(&typ, fset, v.Type); err != nil {
				return "", err
			}
		}
		for _, name := range v.Names {
			if name.IsExported() {
				fmt.Fprintf(&b, "var %s%s\n", name.Name, typ.String())
			}
		}
	}
	return b.String(), nil
}

// receiver is the name of a receiver's type, without pointer and parameters.
func receiver(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}
