//go:build linux || darwin || freebsd || dragonfly

package control

import "net"

// control calls f with the descriptor of c.
func control(c *net.UnixConn, f func(fd int) (uint32, error)) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if ctlErr := raw.Control(func(fd uintptr) { uid, err = f(int(fd)) }); ctlErr != nil {
		return 0, ctlErr
	}
	return uid, err
}
