package archtest

import (
	"go/ast"
	"testing"
)

// Limits of what a reader has to take in at once.
const (
	maxFunctionLines = 80
	maxFileLines     = 600
)

func TestSizes(t *testing.T) {
	functions, files := readAllowed(t, "function"), readAllowed(t, "file")
	for _, s := range sources(t, withoutTests) {
		if s.lines > maxFileLines && !files.has(s.path) {
			t.Errorf("%s has %d lines, more than %d", s.path, s.lines, maxFileLines)
		}
		for _, d := range s.ast.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if n > maxFunctionLines && !functions.has(s.path+":"+f.Name.Name) {
				t.Errorf("%s: %s has %d lines, more than %d", s.fset.Position(f.Pos()), f.Name.Name, n, maxFunctionLines)
			}
		}
	}
	functions.unused(t)
	files.unused(t)
}
