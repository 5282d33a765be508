//go:build linux

// Command powercut proves that what a program acknowledged survives a power
// cut. It runs the program on a file system that knows what was synced, cuts
// the power at a random moment, and lets a verify command look for everything
// that was acknowledged in what is left. See README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// Exit codes.
const (
	exitLost        = 1   // an acknowledged thing was lost
	exitFailed      = 2   // wrong usage, or a cut could not be carried out
	exitUnsupported = 3   // not root, or no FUSE
	exitInterrupted = 130 // SIGINT or SIGTERM
)

// A config is the command line.
type config struct {
	cuts        int
	model       string // strict or random
	seed        uint64
	min, max    time.Duration // bounds of the moment of the cut
	keep        string        // where failing cuts are kept, "" for nowhere
	run, verify string        // shell commands
	ackFile     string        // acknowledgements come from here, "" for run's output
	serve       string        // where to mount a file system that fails on demand
}

func main() { os.Exit(mainExit(os.Args[1:])) }

func mainExit(args []string) int {
	c, err := parse(args)
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "powercut:", err)
		}
		return exitFailed
	}
	if err := supported(); err != nil {
		fmt.Fprintln(os.Stderr, "powercut: needs root and FUSE:", err)
		return exitUnsupported
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	work := c.all
	if c.serve != "" {
		work = c.serveFaults
	}
	switch lost, err := work(ctx, os.Stdout); {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "powercut: interrupted")
		return exitInterrupted
	case errors.Is(err, errMount):
		fmt.Fprintln(os.Stderr, "powercut: needs root and FUSE:", err)
		return exitUnsupported
	case err != nil:
		fmt.Fprintln(os.Stderr, "powercut:", err)
		return exitFailed
	case lost > 0:
		return exitLost
	}
	return 0
}

func parse(args []string) (*config, error) {
	c := &config{}
	f := flag.NewFlagSet("powercut", flag.ContinueOnError)
	f.IntVar(&c.cuts, "cuts", 20, "number of power cuts")
	f.StringVar(&c.model, "model", "strict", "what survives: strict or random")
	f.Uint64Var(&c.seed, "seed", uint64(time.Now().UnixNano()), "seed of all random choices")
	f.DurationVar(&c.min, "min", 100*time.Millisecond, "earliest moment of a cut after the start of -run")
	f.DurationVar(&c.max, "max", 2*time.Second, "latest moment of a cut after the start of -run")
	f.StringVar(&c.keep, "keep", "", "keep what failing cuts left in this `directory`")
	f.StringVar(&c.run, "run", "", "shell `command` that works in $POWERCUT_DIR and acknowledges with lines on its output")
	f.StringVar(&c.verify, "verify", "", "shell `command` that checks $POWERCUT_DIR against the acknowledgements on its input")
	f.StringVar(&c.ackFile, "ack-file", "", "read acknowledgements from this `file` ($POWERCUT_ACKS), not from the output of -run")
	f.StringVar(&c.serve, "serve", "", "mount on this `directory` and fail as the commands on standard input say")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case c.serve != "" && f.NArg() == 0 && c.run == "" && c.verify == "":
		return c, nil
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case c.run == "" || c.verify == "":
		return nil, errors.New("-run and -verify are required")
	case c.model != "strict" && c.model != "random":
		return nil, fmt.Errorf("unknown model %q", c.model)
	case c.cuts < 1 || c.min < 0 || c.max < c.min:
		return nil, errors.New("want -cuts ≥ 1 and 0 ≤ -min ≤ -max")
	case c.ackFile == "":
		return c, nil
	}
	var err error
	c.ackFile, err = filepath.Abs(c.ackFile)
	return c, err
}

// supported tells why this machine cannot mount a file system.
func supported() error {
	if os.Geteuid() != 0 {
		return errors.New("not running as root")
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// all carries out the cuts and returns how many lost something.
func (c *config) all(ctx context.Context, out io.Writer) (lost int, err error) {
	total, least, most := 0, -1, 0
	for i := 1; i <= c.cuts; i++ {
		res, err := c.cut(ctx, i)
		if err != nil {
			return lost, fmt.Errorf("cut %d: %w", i, err)
		}
		if res.reason != "" {
			lost++
			fmt.Fprintf(out, "cut %d after %v, %d acknowledged: LOST: %s\n", i, res.after.Round(time.Millisecond), res.acks, res.reason)
		}
		total, most = total+res.acks, max(most, res.acks)
		if least < 0 || res.acks < least {
			least = res.acks
		}
	}
	fmt.Fprintf(out, "powercut: model %s, seed %d: %d of %d cuts lost something; %d acknowledgements (%d to %d per cut)\n",
		c.model, c.seed, lost, c.cuts, total, least, most)
	if total == 0 && lost == 0 {
		return lost, errors.New("nothing was acknowledged before any cut, so nothing was tested (raise -min?)")
	}
	return lost, nil
}
