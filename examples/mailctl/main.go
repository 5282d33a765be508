// Command mailctl looks after the data of a mail server: backups, restores,
// verification and accounts. It opens the data directory itself, or asks the
// server that owns it.
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
)

// The exit codes.
const (
	exitOK    = 0
	exitFault = 1   // something failed, or problems were found
	exitUse   = 2   // a bad command line, or a command that is not built yet
	exitStop  = 130 // SIGINT or SIGTERM; the same command again goes on
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
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
	ctx    context.Context
	data   string
	json   bool
	dryRun bool
	log    *slog.Logger
}

// useError is a fault of the command line.
type useError struct{ text string }

func (e *useError) Error() string { return e.text }

// errProblems: the command went through and found something.
var errProblems = errors.New("problems were found")

// exited is how kong ends after -h.
type exited int

func run(ctx context.Context, args []string, s streams) (code int) {
	defer func() {
		if v := recover(); v != nil {
			c, ok := v.(exited)
			if !ok {
				panic(v)
			}
			code = int(c)
		}
	}()
	var c cli
	parser, err := kong.New(&c, kong.Name("mailctl"), kong.Description(description), kong.UsageOnError(),
		kong.Writers(s.out, s.err), kong.Exit(func(code int) { panic(exited(code)) }), kong.DefaultEnvars("MAILSTEAD"),
		kong.ShortUsageOnError())
	if err != nil {
		fmt.Fprintln(s.err, "mailctl:", err)
		return exitFault
	}
	args, err = expand(args)
	if err != nil {
		fmt.Fprintln(s.err, "mailctl:", err)
		return exitUse
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(s.err, "mailctl: %v; -h explains\n", err)
		return exitUse
	}
	a := &app{
		streams: s, ctx: ctx, data: c.Data, json: c.JSON, dryRun: c.DryRun,
		log: slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	return a.exit(k.Run(a))
}

// exit reports how a command ended.
func (a *app) exit(err error) int {
	var use *useError
	switch {
	case err == nil:
		return exitOK
	case a.ctx.Err() != nil:
		fmt.Fprintln(a.err, "mailctl: stopped; the same command goes on from here")
		return exitStop
	case errors.As(err, &use):
		fmt.Fprintln(a.err, "mailctl:", err)
		return exitUse
	case errors.Is(err, errProblems):
		return exitFault
	}
	fmt.Fprintln(a.err, "mailctl:", err)
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
