// Storeworker is the program that the power-cut test runs: it changes a store
// from several goroutines and prints a line for each effect that the store
// acknowledged; after the cut it looks for all of them.
//
//	storeworker engines                      the names of the engines
//	storeworker -engine NAME [-control] run  in POWERCUT_DIR, until it is killed
//	storeworker -engine NAME verify          with the lines on its standard input
//
// What run says goes to the file that POWERCUT_ACKS names, else to its standard
// output.
//
// With -control the database does not sync its commits: then verify must find
// a loss, which shows that it would notice one.
//
// Lines of the engine sqlite, each about one mailbox of one account:
//
//	append ACCOUNT MAILBOX UID SEED     a message whose octets follow from SEED
//	deleted ACCOUNT MAILBOX UID         has \Deleted; it may be expunged next
//	flagged ACCOUNT MAILBOX UID         has \Flagged
//	expunge ACCOUNT MAILBOX UID         is gone
//	move ACCOUNT MAILBOX UID DEST UID   is gone here and is there
//
// A message is expunged or moved only after the line that it is \Deleted was
// printed, so a change that was under way at the cut excuses no other loss.
//
// Lines of the engine queue:
//
//	queued SEED                         a message that the queue took; it comes to INBOX once
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/store/sqlite"
)

// engines are what the power can be cut of: each runs until it is killed, and
// looks for what it has said.
var engines = map[string]struct {
	run    func(ctx context.Context, dir string, o sqlite.Options) error
	verify func(ctx context.Context, dir string, lines io.Reader) error
}{
	"sqlite": {run, verify},           // store/sqlite with its segment files
	"queue":  {runQueue, verifyQueue}, // a message's whole way: queue, runner, local delivery
}

func main() {
	name := flag.String("engine", "sqlite", "what to work on")
	control := flag.Bool("control", false, "leave out a sync, so that a cut loses something")
	flag.Parse()
	command := flag.Arg(0)
	if command == "engines" {
		fmt.Println(strings.Join(slices.Sorted(maps.Keys(engines)), "\n"))
		return
	}
	engine, known := engines[*name]
	dir := filepath.Join(os.Getenv("POWERCUT_DIR"), "data")
	ctx := context.Background()
	var o sqlite.Options
	if *control {
		o.Synchronous = sqlite.UnsafeNormal
	}
	var err error
	switch {
	case dir == "data" || !known:
		err = errors.New("usage: POWERCUT_DIR=DIR storeworker [-engine NAME] [-control] run|verify, or storeworker engines")
	case command == "run":
		err = engine.run(ctx, dir, o)
	case command == "verify":
		err = engine.verify(ctx, dir, os.Stdin)
	default:
		err = fmt.Errorf("unknown command %q", command)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
