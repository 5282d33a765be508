package control

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
)

// SocketName is the name of the socket in a data directory.
const SocketName = "control.sock"

// newName is what a socket is called until it has its mode. It is no longer
// than SocketName, so that one limit on the length of a path holds for both.
const newName = ".control.new"

// Listener accepts connections of the same uid and of root.
type Listener struct {
	// Logger is told of connections that were refused; nil = slog.Default().
	// It is not changed after the first Accept.
	Logger *slog.Logger

	l     *net.UnixListener
	path  string
	made  fs.FileInfo
	judge func(uid uint32) bool
	close func() error
}

// Listen makes the socket of the data directory dir, in the place of one that
// an earlier owner left. The caller owns the directory and Closes the Listener
// before it lets go of it. An error means that this place has no room for a
// socket (its path is longer than about 100 octets, the file system has no
// sockets or is read-only, something else has the name): a server says so in
// its log and runs without.
func Listen(dir string) (*Listener, error) {
	if err := supported(); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	path := filepath.Join(dir, SocketName)
	switch fi, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("control: %w", err)
	case fi.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("control: %s is no socket; move it away", path)
	}
	fresh := filepath.Join(dir, newName)
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	l.SetUnlinkOnClose(false)
	made, err := name(fresh, path)
	if err != nil {
		l.Close()
		os.Remove(fresh)
		return nil, fmt.Errorf("control: %w", err)
	}
	c := &Listener{l: l, path: path, made: made, judge: allowed}
	c.close = sync.OnceValue(c.end)
	return c, nil
}

// name gives the socket its mode, and then the name under which it is found.
func name(fresh, path string) (fs.FileInfo, error) {
	if err := os.Chmod(fresh, 0o600); err != nil {
		return nil, err
	}
	if err := os.Rename(fresh, path); err != nil {
		return nil, err
	}
	return os.Lstat(path)
}

// allowed reports whether a process of this uid may ask.
func allowed(uid uint32) bool { return uid == 0 || int64(uid) == int64(os.Geteuid()) }

// Accept implements net.Listener; whoever may not connect is cut off.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerUID(c)
		if err == nil && l.judge(uid) {
			return c, nil
		}
		c.Close()
		l.log().Warn("control: connection refused", "uid", uid, "error", err)
	}
}

func (l *Listener) log() *slog.Logger {
	if l.Logger != nil {
		return l.Logger
	}
	return slog.Default()
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close ends Accept and removes the socket, unless another one has its name
// by now. A second Close does nothing.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) end() error {
	err := l.l.Close()
	if fi, statErr := os.Lstat(l.path); statErr == nil && os.SameFile(fi, l.made) {
		err = errors.Join(err, os.Remove(l.path))
	}
	return err
}
