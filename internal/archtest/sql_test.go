package archtest

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// TestLimitsAreCast asserts that no statement for package sqldb has a bare
// parameter as its limit: SQLite would plan it anew on every run.
func TestLimitsAreCast(t *testing.T) {
	for _, s := range sources(t, withoutTests) {
		if !strings.HasPrefix(s.path, "store/") && !strings.HasPrefix(s.path, "queue/") {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if ok && lit.Kind == token.STRING && strings.Contains(lit.Value, "LIMIT ?") {
				t.Errorf("%s: LIMIT ? without CAST, see package sqldb", s.fset.Position(lit.Pos()))
			}
			return true
		})
	}
}
