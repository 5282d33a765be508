// Command mailctl looks after the data of a mail server: accounts, the queue,
// backups and their verification, mail that moves in and out, keys of DKIM; and it
// sends messages. It opens the data directory itself, or asks the server that owns
// it.
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

	"github.com/alecthomas/kong"

	"github.com/mailstead/mailstead/examples/internal/command"
)

// The exit codes.
const (
	exitOK    = command.OK
	exitFault = command.Fault // something failed, or problems were found
	exitUse   = command.Use   // a bad command line, or a command that is not built yet
	exitLater = 75            // send: nobody refused for good, and not everybody has the message
	exitStop  = 130           // SIGINT or SIGTERM; the same command again goes on
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go interrupts(signals, cancel, os.Exit) // ends with the process
	os.Exit(run(ctx, os.Args[1:], streams{&stoppable{ctx, os.Stdin}, os.Stdout, os.Stderr}))
}

// interrupts ends the command with the first signal, and the process with the
// second.
func interrupts(signals <-chan os.Signal, cancel func(), exit func(int)) {
	<-signals
	cancel()
	<-signals
	exit(exitStop)
}

// stoppable is the standard input: a command that waits for it can be stopped,
// while the read goes on until the process ends.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

// Read implements io.Reader.
func (s *stoppable) Read(p []byte) (int, error) {
	type result struct {
		b   []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		b := make([]byte, len(p))
		n, err := s.r.Read(b)
		done <- result{b[:n], err}
	}()
	select {
	case r := <-done:
		return copy(p, r.b), r.err
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	}
}

// streams are those of the process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// app is what commands work with. What it has to say goes to err, which is screen.
type app struct {
	streams
	screen *screen
	ctx    context.Context
	data   string
	json   bool
	dryRun bool
	log    *slog.Logger

	// resumable: the command goes on where it was stopped.
	resumable bool
}

// useError is a fault of the command line.
type useError struct{ text string }

func (e *useError) Error() string { return e.text }

// errProblems: the command went through and found something.
var errProblems = errors.New("problems were found")

// errLater: another attempt may go through.
var errLater = errors.New("try again later")

func run(ctx context.Context, args []string, s streams) int {
	args, err := expand(args)
	if err != nil {
		fmt.Fprintln(s.err, "mailctl:", err)
		return exitUse
	}
	var c cli
	k, code, ok := (&command.Program{Name: "mailctl", Description: description, Out: s.out, Err: s.err}).Parse(&c, args)
	if !ok {
		return code
	}
	return newApp(ctx, &c, s).exit(k)
}

func newApp(ctx context.Context, c *cli, s streams) *app {
	out := &screen{to: s.err}
	s.err = out
	o := &slog.HandlerOptions{Level: slog.LevelWarn}
	var h slog.Handler = slog.NewTextHandler(out, o)
	if c.JSON {
		h = slog.NewJSONHandler(out, o)
	}
	return &app{streams: s, screen: out, ctx: ctx, data: c.Data, json: c.JSON, dryRun: c.DryRun, log: slog.New(h)}
}

// exit runs a command and reports how it ended.
func (a *app) exit(k *kong.Context) int {
	err := k.Run(a)
	var use *useError
	switch {
	case err == nil:
		return exitOK
	case a.ctx.Err() != nil:
		text := "stopped"
		if a.resumable && !a.dryRun {
			text = "stopped; the same command goes on from here"
		}
		a.complain("stopped", text, exitStop)
		return exitStop
	case errors.As(err, &use):
		a.complain("error", err.Error(), exitUse)
		return exitUse
	case errors.Is(err, errProblems):
		return exitFault
	case errors.Is(err, errLater):
		return exitLater
	}
	a.complain("error", err.Error(), exitFault)
	return exitFault
}

// expand replaces a value @FILE by what is in the file.
func expand(args []string) ([]string, error) {
	out := make([]string, 0, len(args))
	for _, arg := range args {
		flag, value, split := strings.Cut(arg, "=")
		if !split || !strings.HasPrefix(flag, "-") {
			flag, value = "", arg
		} else {
			flag += "="
		}
		if file, ok := strings.CutPrefix(value, "@"); ok && file != "" {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			value = strings.TrimRight(string(b), "\r\n")
		}
		out = append(out, flag+value)
	}
	return out, nil
}

// result writes what a command has to say: an object with --json, else lines.
func (a *app) result(v any, lines ...string) error {
	if a.json {
		e := json.NewEncoder(a.out)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(a.out, l); err != nil {
			return err
		}
	}
	return nil
}
