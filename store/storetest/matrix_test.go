package storetest

import (
	"fmt"
	"hash/fnv"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBrokenStores holds each broken store against the checks: those that it
// names must find it, and say which rule it broke; no other may, unless the
// names end with "+". A full run (MAILSTEAD_FULL=1) holds it against all checks,
// others against its own and a share of the rest. STORETEST_PART=N/M takes part N
// of M of the broken stores.
func TestBrokenStores(t *testing.T) {
	list := checks()
	part, parts := 1, 1
	if v := os.Getenv("STORETEST_PART"); v != "" {
		if n, err := fmt.Sscanf(v, "%d/%d", &part, &parts); n != 2 || part < 1 || part > parts {
			t.Fatalf("STORETEST_PART=%s: %v", v, err)
		}
	}
	for i, d := range defects() {
		if i%parts != part-1 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			own := strings.Fields(d.check)
			var caught []string
			for _, k := range list {
				named := slices.Contains(own, k.name)
				if !named && (slices.Contains(own, "+") || spared(d, k)) {
					continue
				}
				if d.finds(t, k, named) {
					caught = append(caught, k.name)
				}
			}
			if printing() {
				fmt.Printf("DEFECT|%s|%s|%s\n", d.name, d.check, strings.Join(caught, " "))
				return
			}
			own = slices.DeleteFunc(own, func(s string) bool { return s == "+" })
			for _, name := range own {
				if !slices.Contains(caught, name) {
					t.Errorf("%s finds nothing wrong with a store that %s", name, d.name)
				}
			}
			for _, name := range caught {
				if !slices.Contains(own, name) {
					t.Errorf("%s finds a store that %s; that is for %v to find", name, d.name, own)
				}
			}
		})
	}
}

func printing() bool { return os.Getenv("STORETEST_PRINT") == "1" }

// spared reports whether this run leaves out a check that should find nothing.
func spared(d defect, k check) bool {
	if k.heavy && os.Getenv(Full) != "1" {
		return true
	}
	if os.Getenv(Full) == "1" || printing() {
		return false
	}
	share := uint32(6)
	if testing.Short() {
		share = 32
	}
	h := fnv.New32a()
	fmt.Fprint(h, d.name, k.name)
	return h.Sum32()%share != 0
}

// finds reports whether a check finds the defect. A check that should not is
// asked again with more patience, so that a slow machine is no defect.
func (d defect) finds(t *testing.T, k check, expected bool) bool {
	c := brokenConfig(d.hooks)
	said := failures(t, c, k)
	if len(said) > 0 && !expected && !printing() {
		c.Patience = 10 * time.Second
		said = failures(t, c, k)
	}
	if len(said) > 0 && !strings.HasPrefix(said[0], "rule broken: ") {
		t.Errorf("the failure does not begin with the rule: %s", said[0])
	}
	return len(said) > 0
}
