// Command connector collects mail from remote mailboxes by POP3 and IMAP, personal
// ones and those of many, and hands each message to its recipients: a mail
// server, a queue, files, a program, or a store of its own.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/mailstead/mailstead/examples/connector/internal/foreign"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/examples/internal/command"
)

// The exit codes.
const (
	exitOK    = command.OK
	exitFault = command.Fault // something failed, or problems were found
	exitUse   = command.Use   // a bad command line or configuration, or a port or directory that cannot be had
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// streams are those of the process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what commands work with.
type app struct {
	streams
	ctx  context.Context
	cli  *cli
	log  *slog.Logger
	json bool
}

// useError is a fault of the command line, or of what it names.
type useError struct{ err error }

func (e *useError) Error() string { return e.err.Error() }
func (e *useError) Unwrap() error { return e.err }

func bad(format string, args ...any) error { return &useError{fmt.Errorf(format, args...)} }

// errProblems: the command went through, and has said what is wrong.
var errProblems = errors.New("problems were found")

func run(ctx context.Context, args []string, s streams) int {
	var c cli
	k, code, ok := (&command.Program{Name: "connector", Description: description, Out: s.out, Err: s.err}).Parse(&c, args)
	if !ok {
		return code
	}
	a := &app{streams: s, ctx: ctx, cli: &c, json: c.JSON}
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	a.log = slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: level}))
	return a.exit(k.Run(a))
}

// exit reports how a command ended.
func (a *app) exit(err error) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errProblems) {
		return exitFault
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(a.err, "connector:", strings.TrimSpace(line))
	}
	_, faulty := errors.AsType[settings.Faults](err)
	_, foreignFault := errors.AsType[*foreign.Error](err)
	if _, use := errors.AsType[*useError](err); use || faulty || foreignFault {
		return exitUse
	}
	return exitFault
}

// settings reads the configuration file. What the command line says goes
// before it.
func (a *app) settings() (*settings.Settings, error) {
	s, err := settings.Read(a.cli.Config)
	if _, faulty := errors.AsType[settings.Faults](err); err != nil && !faulty {
		return nil, bad("--config: %w", err)
	}
	if err != nil {
		return nil, err
	}
	if s.HasSecrets() && openToOthers(a.cli.Config) {
		a.log.Warn("others may read the configuration, and there are passwords in it: chmod 600", "file", a.cli.Config)
	}
	if a.cli.Data != "" {
		s.Data = a.cli.Data
	}
	return s, nil
}

// openToOthers reports whether others than its owner and group may read a file.
func openToOthers(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().Perm()&0o004 != 0
}

// result writes v as one line of JSON.
func (a *app) result(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
