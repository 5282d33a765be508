// Package freeport finds ports for servers that have to be told theirs.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// The ports lie below those that systems give to outgoing connections (from
// 32768 on Linux, 49152 elsewhere): a port that was free when it was asked for
// is not taken meanwhile as the near end of somebody's connection.
const lowest, highest = 10000, 32000

// Addr is an address of the loopback interface that nobody listens on.
func Addr() (string, error) {
	for {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(lowest+rand.IntN(highest-lowest))))
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return "", err
		}
		return l.Addr().String(), l.Close()
	}
}
