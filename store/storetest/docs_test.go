package storetest

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/storetest.md")

const docs = "../../docs/storetest.md"

// exempt are the cases without a broken store that they alone find, and why.
func exempt() map[string]string {
	return map[string]string{
		"WrapDeclared":    "judges the declaration in Config.Has",
		"WrapTransparent": "judges store.As, which no backend changes",
		"WrapRefuses":     "judges store.As, which no backend changes",
		"WrapCounts":      "judges store.As, which no backend changes",
	}
}

// alone returns, for each case, the broken stores that it alone finds, and
// those that it finds among others.
func alone() (only, shared map[string][]string) {
	only, shared = map[string][]string{}, map[string][]string{}
	for _, d := range defects() {
		names := strings.Fields(d.check)
		if len(names) == 1 {
			only[names[0]] = append(only[names[0]], d.name)
			continue
		}
		for _, n := range names {
			shared[n] = append(shared[n], d.name)
		}
	}
	return only, shared
}

// TestEveryCaseIsNeeded: each case finds a broken store that no other finds,
// or is one of the few that are named with a reason.
func TestEveryCaseIsNeeded(t *testing.T) {
	only, shared := alone()
	for _, k := range checks() {
		switch {
		case len(only[k.name]) > 0 || exempt()[k.name] != "":
		case len(shared[k.name]) > 0 && slices.Contains(overlapping(), k.name):
		default:
			t.Errorf("%s has no broken store that it alone finds", k.name)
		}
	}
}

// TestDocs: docs/storetest.md lists the cases as they are. -update writes it.
func TestDocs(t *testing.T) {
	var b bytes.Buffer
	list := checks()
	fmt.Fprintf(&b, "# What storetest judges\n\n")
	fmt.Fprintf(&b, "Written by `go test ./store/storetest -run TestDocs -update`; a test checks that it is current.\n\n")
	fmt.Fprintf(&b, "Each of the %d cases is one subtest of `storetest.Run`. The broken store beside it is a sound one with a\n", len(list))
	fmt.Fprintf(&b, "single defect: this case finds it, and where nothing else is said no other case does. The I-numbers are the\n")
	fmt.Fprintf(&b, "invariants in the documentation of package store. %s says what a backend has to have for the case.\n\n", "\"Needs\"")
	fmt.Fprintf(&b, "| case | rule | needs | a store that ... |\n| --- | --- | --- | --- |\n")
	only, shared := alone()
	cell := func(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
	for _, k := range list {
		found := strings.Join(only[k.name], "; ")
		switch {
		case found != "":
		case exempt()[k.name] != "":
			found = "– (" + exempt()[k.name] + ")"
		default:
			found = "(with others) " + strings.Join(shared[k.name], "; ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k.name, cell(k.rule), k.wants(), cell(found))
	}
	if *update {
		if err := os.WriteFile(docs, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(docs)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not current (%v): run go generate ./store/storetest", docs, err)
	}
}

// wants names what a Config needs for a check.
func (k check) wants() string {
	var out []string
	for _, c := range []struct {
		name string
		bit  Capability
	}{{"Imports", Imports}, {"Threads", Threads}, {"Searches", Searches}, {"Sorts", Sorts}, {"Locks", Locks}, {"Metas", Metas}, {"Snapshots", Snapshots}, {"Retains", Retains}, {"Keys", Keys}} {
		if k.needs&c.bit != 0 {
			out = append(out, c.name)
		}
	}
	for name, need := range map[string]bool{"Reopen": k.persistent, "Purge": k.purges, "Nodes": k.nodes, "Faults": k.faults} {
		if need {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// overlapping are cases whose broken stores others find too: they see one rule
// from several sides.
func overlapping() []string {
	return []string{}
}
