package sqlqueue

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/internal/vfs"
)

func newMarks(t *testing.T, m *vfs.Mem) *marks {
	t.Helper()
	f, err := m.OpenFile("queue"+marksName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return &marks{log: slog.New(slog.DiscardHandler), file: f, slots: make(map[string]int)}
}

func (m *marks) want(t *testing.T, what string, want ...string) {
	t.Helper()
	got, err := readMarks(m.file)
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%s: %q, %v; want %q", what, got, err, want)
	}
}

// TestMarks: the file names what is leased, in places that are used again.
func TestMarks(t *testing.T) {
	m := newMarks(t, vfs.NewMem())
	for i := range 5 {
		m.set(fmt.Sprint("job", i))
	}
	m.set("job1") // again
	m.set(strings.Repeat("x", markID))
	m.set(strings.Repeat("y", markID+1))
	m.set("")
	m.clear("job0", false)
	m.clear("job3", false)
	m.clear("never", false)
	m.set("late", "later")
	x := strings.Repeat("x", markID)
	m.want(t, "leased", "job1", "job2", "job4", "late", "later", x)
	if n := len(m.image) / markSize; n != 6 {
		t.Errorf("%d places, want 6", n)
	}
	m.clear("later", true)
	m.clear("job4", false)
	m.want(t, "later is gone, which needs no write", "job1", "job2", "late", "later", x)
	m.set("a", "b")
	m.want(t, "its place is used again", "a", "b", "job1", "job2", "late", x)
	var none *marks
	none.set("a")
	none.clear("a", true)
}

// TestMarksDamaged: what is torn or changed is passed over.
func TestMarksDamaged(t *testing.T) {
	m := newMarks(t, vfs.NewMem())
	for _, id := range []string{"a", "b", "c"} {
		m.set(id)
	}
	m.file.WriteAt([]byte{'x'}, markSize+1)
	m.file.Truncate(2*markSize + 30)
	m.want(t, "one damaged, one torn", "a")
}

// failing is a file that cannot be written.
type failing struct{ vfs.File }

var errFull = errors.New("disk full")

func (failing) WriteAt([]byte, int64) (int, error) { return 0, errFull }

// TestMarksFail: a file that cannot be written names nobody, and stops no mail.
func TestMarksFail(t *testing.T) {
	disk := vfs.NewMem()
	m := newMarks(t, disk)
	m.set("a")
	m.file = failing{m.file}
	m.set("b")
	m.clear("a", false)
	if err := m.close(); err != nil {
		t.Error(err)
	}
	newMarks(t, disk).want(t, "after a failure")
}
