package daemon

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Socket is a listener that systemd has opened.
type Socket struct {
	// Name is FileDescriptorName= of the socket unit, by default the name of
	// the unit; "" = systemd gave none.
	Name string

	net.Listener
}

// firstFD is where the descriptors begin (sd_listen_fds(3)).
const firstFD = 3

// Sockets takes over the listening stream sockets of socket activation
// (systemd.socket(5)), in the order of the unit: LISTEN_PID, LISTEN_FDS and
// LISTEN_FDNAMES of sd_listen_fds(3). The variables are removed, so that no
// child takes the sockets for its own. Without them, or where they are for
// another process, there are none, and no error. A descriptor that is no
// listening stream socket is an error; then none is taken.
func Sockets() ([]Socket, error) {
	defer func() {
		for _, name := range [...]string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			os.Unsetenv(name)
		}
	}()
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil, nil
	}
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 || n > maxSockets {
		return nil, fmt.Errorf("daemon: LISTEN_FDS=%q", os.Getenv("LISTEN_FDS"))
	}
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	var all []Socket
	for i := range n {
		s, err := socket(firstFD+i, names, i)
		if err != nil {
			for _, s := range all {
				s.Close()
			}
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// maxSockets bounds what a strange LISTEN_FDS costs.
const maxSockets = 1024

func socket(fd int, names []string, i int) (Socket, error) {
	name := ""
	if i < len(names) {
		name = names[i]
	}
	f := os.NewFile(uintptr(fd), name)
	if f == nil {
		return Socket{}, fmt.Errorf("daemon: socket %d (%q): no such descriptor", fd, name)
	}
	defer f.Close() // the listener has a copy, which children do not inherit
	l, err := net.FileListener(f)
	if err != nil {
		return Socket{}, fmt.Errorf("daemon: socket %d (%q): %w", fd, name, err)
	}
	return Socket{Name: name, Listener: l}, nil
}
