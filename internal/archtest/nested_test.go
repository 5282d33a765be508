package archtest

import (
	"slices"
	"strings"
	"testing"
)

// nestedModules says which packages of the root module the code of a nested
// module may import; its own packages are always allowed. Modules that no row
// names compose, and may import what they like.
func nestedModules() map[string][]string {
	return map[string][]string{
		"auth/oauth": {"auth/login"},
	}
}

func TestNestedModulesImportDown(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range sources(t, withoutTests) {
		allow, named := nestedModules()[f.module]
		if !named {
			continue
		}
		seen[f.module] = true
		for _, imp := range f.ast.Imports {
			r, ours := rel(strings.Trim(imp.Path.Value, `"`))
			if ours && !matches(f.module+"/...", r) && !slices.Contains(allow, r) {
				t.Errorf("%s imports %s; allowed are %v", f.path, r, allow)
			}
		}
	}
	for module := range nestedModules() {
		if !seen[module] {
			t.Errorf("there is no module %s", module)
		}
	}
}
