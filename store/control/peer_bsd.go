//go:build darwin || freebsd || dragonfly

package control

import (
	"net"

	"golang.org/x/sys/unix"
)

func supported() error { return nil }

// peerUID is the uid of the process at the other end (LOCAL_PEERCRED).
func peerUID(c *net.UnixConn) (uint32, error) {
	return control(c, func(fd int) (uint32, error) {
		cred, err := unix.GetsockoptXucred(fd, 0, unix.LOCAL_PEERCRED) // level SOL_LOCAL
		if err != nil {
			return 0, err
		}
		return cred.Uid, nil
	})
}
