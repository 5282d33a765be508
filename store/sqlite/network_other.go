//go:build !linux && !darwin && !freebsd

package sqlite

// fileSystemOf cannot tell on this system.
func fileSystemOf(string) string { return "" }
