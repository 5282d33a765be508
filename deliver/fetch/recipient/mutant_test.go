package recipient

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// setMutant takes one rule out of a package that was compiled with the texts of
// testdata/mutants.txt; nil = it was not.
var setMutant func(name string)

// mutantsRun is what TestMutant says when it was really run.
const mutantsRun = "each rule was missed"

// TestMutants compiles the package once with all rules of testdata/mutants.txt
// behind switches, and has TestMutant run in it.
func TestMutants(t *testing.T) {
	if setMutant != nil {
		return // this is the mutated package
	}
	dir := t.TempDir()
	overlay := mutate(t, dir)
	data, err := json.Marshal(map[string]map[string]string{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-vet=off", "-count=1", "-overlay="+file, "-run=^Test(Mutant|Situations)$", "-v", ".")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), mutantsRun) {
		t.Errorf("%v\n%s", err, withoutPasses(string(out)))
	}
}

func withoutPasses(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		if !strings.Contains(line, "=== RUN") && !strings.Contains(line, "--- PASS") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// mutate writes the changed files, and returns what they stand for.
func mutate(t *testing.T, dir string) map[string]string {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, m := range loadMutants(t) {
		text, ok := files[m.file]
		if !ok {
			data, err := os.ReadFile(m.file)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		if n := strings.Count(text, m.old); n != 1 {
			t.Fatalf("%s: %q stands in %s %d times", m.name, m.old, m.file, n)
		}
		files[m.file] = strings.Replace(text, m.old, m.new, 1)
	}
	support, err := os.ReadFile("testdata/mutant_support.txt")
	if err != nil {
		t.Fatal(err)
	}
	files["mutant_support.go"] = string(support)
	files["mutant_hook_test.go"] = "package recipient\n\nfunc init() { setMutant = func(name string) { mutant = name } }\n"
	overlay := map[string]string{}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[filepath.Join(here, name)] = path
	}
	return overlay
}

type mutation struct{ name, file, old, new string }

func loadMutants(t *testing.T) []mutation {
	data, err := os.ReadFile("testdata/mutants.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []mutation
	for _, text := range strings.Split(string(data), "\n== ")[1:] {
		parts := strings.SplitN(strings.Trim(text, "\n"), "\n", 4)
		if len(parts) != 4 {
			t.Fatalf("%q", text)
		}
		all = append(all, mutation{parts[0], parts[1], parts[2], parts[3]})
	}
	return all
}

// TestMutant: each situation that is there for a rule of the code has another
// answer without it, and no rule is without a situation.
func TestMutant(t *testing.T) {
	if setMutant == nil {
		return // run by TestMutants
	}
	seen := map[string]bool{}
	for _, s := range loadSituations(t) {
		for _, what := range s.without {
			name, ok := strings.CutPrefix(what, "code ")
			if !ok {
				continue
			}
			seen[name] = true
			setMutant(name)
			got := s.find(t, s.config)
			if a := answer(&got); a == s.wanted() {
				t.Errorf("%s without %q: %s, too", s.name, name, a)
			}
			setMutant("")
		}
	}
	for _, m := range loadMutants(t) {
		if !seen[m.name] {
			t.Errorf("no situation is there for %q", m.name)
		}
	}
	if !t.Failed() {
		t.Log(mutantsRun)
	}
}
