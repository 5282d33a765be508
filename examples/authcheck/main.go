// Command authcheck judges one message as a receiver would: SPF, DKIM, ARC and
// DMARC, and the Authentication-Results field that it would add.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/mailstead/mailstead/examples/internal/program"
)

func main() {
	ctx, stop := program.Context()
	defer stop()
	os.Exit(run(ctx, os.Args[1:], stdio{os.Getenv, os.Stdin, os.Stdout, os.Stderr}))
}

// stdio is what the program has of its surroundings.
type stdio struct {
	getenv   func(string) string
	in       io.Reader
	out, err io.Writer
}

func run(ctx context.Context, args []string, s stdio) int {
	err := check(ctx, args, s)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return program.ExitOK
	case errors.Is(err, errFault):
		fmt.Fprintln(s.err, "authcheck:", err)
		return program.ExitFault
	}
	fmt.Fprintln(s.err, "authcheck:", err)
	return program.ExitUse
}

// errFault is what is no bad use: output that cannot be written.
var errFault = errors.New("fault")

func check(ctx context.Context, args []string, s stdio) error {
	o, err := parse(ctx, args, s)
	if err != nil {
		return err
	}
	switch {
	case o.spfOnly:
		return fault(o.judgeSPF(ctx).print(s.out, o.json))
	case o.seal != nil:
		return o.sealMessage(ctx, s)
	}
	r, err := o.judge(ctx, s.in)
	if err != nil {
		return err
	}
	return fault(o.verdicts(ctx, r).print(s.out, o.json))
}

// fault marks an error as none of bad use.
func fault(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errFault, err)
}
