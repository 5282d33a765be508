//go:build !unix

package nfs

// alive cannot be known here: the lock's age decides.
func alive(int) bool { return true }
