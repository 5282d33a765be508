// Command relay takes mail of users and of trusted hosts, and sends it on: to
// one smart host, or to the MX hosts of each domain. A message is in a durable
// queue before its sender hears 250; what cannot be delivered is tried again
// for days, and then reported to him.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"github.com/mailstead/mailstead/examples/internal/program"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parse(args, os.Getenv)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return program.ExitOK
	case err != nil:
		fmt.Fprintln(os.Stderr, "relay:", err)
		return program.ExitUse
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := program.Context()
	defer stop()
	r, err := open(ctx, o, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		return program.ExitUse
	}
	for _, p := range r.parts {
		fmt.Printf("relay: %s %s\n", p.name, p.l.Addr())
	}
	err = r.serve(ctx)
	if err = errors.Join(err, r.close()); err != nil {
		log.Error("stopped", "error", err)
		return program.ExitFault
	}
	log.Info("stopped")
	return program.ExitOK
}
