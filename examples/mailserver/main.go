// Command mailserver is a whole mail server made of Mailstead's packages: mail
// comes in by SMTP, submission and LMTP, goes through a durable queue into the
// embedded store, and out by IMAP and POP3. Run it without flags to try it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// The exit codes.
const (
	exitOK    = 0
	exitFault = 1 // something failed while running
	exitUse   = 2 // a bad flag, or a port or directory that cannot be had
)

func main() {
	os.Exit(run(os.Args[1:]))
}

func run(args []string) int {
	o, err := parseOptions(args, os.Getenv, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(os.Stderr, "mailserver:", err)
		return exitUse
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	s, err := newServer(ctx, o, log)
	switch {
	case err != nil && ctx.Err() != nil:
		return exitOK // told to end before it had begun
	case err != nil:
		fmt.Fprintln(os.Stderr, "mailserver:", err)
		return exitUse
	}
	s.start()
	s.greet(os.Stdout)
	failed := s.wait(ctx)
	stop() // a second signal ends the process at once
	if err := s.shutdown(); err != nil {
		log.Error("shutdown", "error", err)
		failed = true
	}
	if failed {
		return exitFault
	}
	log.Info("stopped")
	return exitOK
}

// drainTime is what the listeners get to say goodbye; the queue's runner gets
// queueDrainTime behind it.
const (
	drainTime      = 2500 * time.Millisecond
	queueDrainTime = 1500 * time.Millisecond
)
