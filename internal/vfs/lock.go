package vfs

import (
	"strconv"
	"strings"
)

// Error implements error.
func (e *LockedError) Error() string {
	if e.PID == 0 {
		return "vfs: " + e.Name + " is locked by another process"
	}
	return "vfs: " + e.Name + " is locked by process " + strconv.Itoa(e.PID)
}

// Unwrap returns ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }

// parsePID reads what Lock wrote; 0 when it is not a number.
func parsePID(b []byte) int {
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || pid < 0 {
		return 0
	}
	return pid
}
