// Package program is what the small example programs have in common: flags that
// the environment can set, listeners, and an orderly end.
package program

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/mailstead/mailstead/smtp/smtpserver"
)

// The exit codes.
const (
	ExitOK    = 0
	ExitFault = 1 // something failed while running
	ExitUse   = 2 // a bad flag, or a port or directory that cannot be had
)

// Listen opens "host:port", or the Unix socket "unix:PATH" with the mode. A
// socket that nobody answers is replaced.
func Listen(ctx context.Context, addr string, mode fs.FileMode) (net.Listener, error) {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		c, dialErr := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if dialErr == nil {
			c.Close()
			return nil, err
		}
		if !errors.Is(dialErr, syscall.ECONNREFUSED) {
			return nil, err
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
		l, err = (&net.ListenConfig{}).Listen(ctx, "unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// drainTime is what sessions get to finish their transactions.
const drainTime = 3 * time.Second

// Context ends with the first SIGTERM or SIGINT; a second one ends the process
// at once.
func Context() (ctx context.Context, stop func()) {
	ctx, stop = signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// Serve serves until ctx ends, and then lets sessions finish.
func Serve(ctx context.Context, srv *smtpserver.Server, l net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- srv.Serve(context.Background(), l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	srv.Shutdown(drain) // who is cut off got no 250
	if err := <-done; !errors.Is(err, smtpserver.ErrServerClosed) {
		return err
	}
	return nil
}
