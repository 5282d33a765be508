package delivertest_test

import "testing"

// TestAuditNotices: each broken promise is a fault, and no kept one is.
func TestAuditNotices(t *testing.T) {
	tests := []struct {
		name   string
		e      entry
		faults int
	}{
		{"delivered", entry{told: 1, final: 1}, 0},
		{"failed", entry{failed: []string{"5.1.1"}, final: 1}, 0},
		{"queued", entry{queued: 1}, 0},
		{"delayed, then delivered", entry{told: 1, delayed: 1, final: 1}, 0},
		{"twice, and nobody could know", entry{told: 1, untold: 1, unknown: 1, final: 1}, 0},
		{"taken without a word, then given up", entry{untold: 1, unknown: 1, failed: []string{"5.4.7"}, final: 1}, 0},
		{"taken without a word, still queued", entry{untold: 1, unknown: 1, queued: 1}, 0},
		{"lost", entry{}, 1},
		{"lost behind the dot", entry{untold: 1, unknown: 1}, 1},
		{"delivered and reported", entry{told: 1, failed: []string{"5.1.1"}, final: 1}, 1},
		{"delivered and queued", entry{told: 1, queued: 1}, 1},
		{"reported twice", entry{failed: []string{"5.1.1", "5.1.1"}, final: 1}, 1},
		{"late twice", entry{told: 1, delayed: 2, final: 1}, 1},
		{"queued twice", entry{queued: 2}, 1},
		{"delivered twice", entry{told: 2, final: 1}, 1},
		{"a copy too many", entry{told: 1, untold: 2, unknown: 1, final: 1}, 2},
		{"ended twice", entry{told: 1, final: 2}, 1},
	}
	for _, test := range tests {
		if got := test.e.faults(); len(got) != test.faults {
			t.Errorf("%s: %q, want %d", test.name, got, test.faults)
		}
	}
}
