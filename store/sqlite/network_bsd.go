//go:build darwin || freebsd

package sqlite

import "syscall"

// fileSystemOf names the file system that dir lies on; "" where that cannot be
// told.
func fileSystemOf(dir string) string {
	var st syscall.Statfs_t
	if syscall.Statfs(dir, &st) != nil {
		return ""
	}
	var name []byte
	for _, c := range st.Fstypename {
		if c == 0 {
			break
		}
		name = append(name, byte(c))
	}
	return string(name)
}
