//go:build !linux && !darwin && !freebsd && !dragonfly

package control

import (
	"errors"
	"net"
)

func supported() error { return errors.ErrUnsupported }

// peerUID refuses: who cannot be told from others is not let in.
func peerUID(*net.UnixConn) (uint32, error) { return 0, errors.ErrUnsupported }
