package settings

import (
	"fmt"
	"strings"
)

// Fault is something wrong with a file.
type Fault struct {
	File string
	Line int    // zero: of the whole file
	Key  string // "" where it is of no key
	Text string
}

// Error is FILE:LINE: KEY: TEXT.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d", f.Line)
	}
	if f.Key != "" {
		b.WriteString(": " + f.Key)
	}
	b.WriteString(": " + f.Text)
	return b.String()
}

// Faults are all that is wrong with a file, in the order of its lines.
type Faults []*Fault

// Error has a line for each.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// FaultAt makes a fault of the key out of err.
func (s *Settings) FaultAt(key string, err error) error {
	c := &checker{s: s}
	c.fault(key, "%v", err)
	return c.faults
}
