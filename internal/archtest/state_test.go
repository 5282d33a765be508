package archtest

import (
	"errors"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// TestNoPackageState asserts that packages keep nothing that changes: no
// init functions, hence no registries, and no variables but error sentinels,
// embedded files and tables that are written once. The check is syntactic, a
// help against oversight: a table is something that no statement of its package
// assigns to, takes the address of, or deletes from.
func TestNoPackageState(t *testing.T) {
	exceptions := readAllowed(t, "state")
	packages := map[string][]*source{}
	for _, s := range sources(t, withoutTests) {
		key := s.dir() + " " + s.ast.Name.Name
		packages[key] = append(packages[key], s)
	}
	for _, files := range packages {
		info := check(files)
		changed := changedVars(files, info)
		for _, s := range files {
			for _, d := range s.ast.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" && !exceptions.has(s.path+":init") {
					t.Errorf("%s: init function", s.fset.Position(f.Pos()))
				}
			}
		}
		for _, v := range packageVars(files, info) {
			why := v.mutable()
			if why == "" && changed[v.obj] {
				why = "is changed after its declaration"
			}
			if why != "" && !exceptions.has(v.file.path+":"+v.obj.Name()) {
				t.Errorf("%s: package-level variable %s %s", v.file.fset.Position(v.obj.Pos()), v.obj.Name(), why)
			}
		}
	}
	exceptions.unused(t)
}

// A packageVar is one name declared by var outside of functions.
type packageVar struct {
	file     *source
	obj      types.Object
	spec     *ast.ValueSpec
	embedded bool // has a //go:embed directive
}

// mutable says why the declaration alone shows mutable state, or is "".
func (v packageVar) mutable() string {
	if v.embedded {
		return ""
	}
	if typeName(v.spec.Type) == "sync.Pool" {
		return ""
	}
	for _, e := range v.spec.Values {
		if c, ok := e.(*ast.CompositeLit); ok && typeName(c.Type) == "sync.Pool" {
			return "" // keeps nothing that matters
		}
	}
	for _, e := range append([]ast.Expr{v.spec.Type}, v.spec.Values...) {
		name := typeName(e)
		if c, ok := e.(*ast.CompositeLit); ok {
			name = typeName(c.Type)
		}
		if strings.HasPrefix(name, "sync.") && !strings.HasPrefix(name, "sync.Once") || strings.HasPrefix(name, "atomic.") {
			return "is a " + name
		}
	}
	if len(v.spec.Values) == 0 {
		return "has no value, so it exists to be changed"
	}
	return ""
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			return x.Name + "." + e.Sel.Name
		}
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.StarExpr:
		return typeName(e.X)
	}
	return ""
}

// check resolves identifiers within one package; what it imports stays unknown.
func check(files []*source) *types.Info {
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Error: func(error) {}, Importer: noImports{}}
	var parsed []*ast.File
	for _, s := range files {
		parsed = append(parsed, s.ast)
	}
	_, _ = conf.Check("p", files[0].fset, parsed, info) // errors: the imports are not there
	return info
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.New("not loaded") }

// packageVars lists the variables of a package.
func packageVars(files []*source, info *types.Info) []packageVar {
	var list []packageVar
	for _, s := range files {
		for _, d := range s.ast.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				for _, name := range v.Names {
					if obj := info.Defs[name]; obj != nil && name.Name != "_" {
						list = append(list, packageVar{s, obj, v, embeds(g.Doc) || embeds(v.Doc)})
					}
				}
			}
		}
	}
	return list
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// changedVars finds the objects that some statement of the package changes.
func changedVars(files []*source, info *types.Info) map[types.Object]bool {
	changed := map[types.Object]bool{}
	mark := func(e ast.Expr) {
		if id := rootIdent(e); id != nil && info.Uses[id] != nil {
			changed[info.Uses[id]] = true
		}
	}
	for _, s := range files {
		ast.Inspect(s.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, lhs := range n.Lhs {
					mark(lhs)
				}
			case *ast.IncDecStmt:
				mark(n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					mark(n.Key)
					mark(n.Value)
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(n.Args) > 0 {
					mark(n.Args[0])
				}
			}
			return true
		})
	}
	return changed
}

// rootIdent is x in x, x.f, x[i], *x and (x).
func rootIdent(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
