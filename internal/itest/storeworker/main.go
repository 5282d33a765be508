// Storeworker is the program that the power-cut test runs: it changes a store
// from several goroutines and prints a line for each effect that the store
// acknowledged; after the cut it looks for all of them.
//
//	storeworker engines                      the names of the engines
//	storeworker -engine NAME [-control] run  in POWERCUT_DIR, until it is killed
//	storeworker -engine NAME verify          with the lines on its standard input
//
// With -control the database does not sync its commits: then verify must find
// a loss, which shows that it would notice one.
//
// Lines, each about one mailbox of one account:
//
//	append ACCOUNT MAILBOX UID SEED     a message whose octets follow from SEED
//	deleted ACCOUNT MAILBOX UID         has \Deleted; it may be expunged next
//	flagged ACCOUNT MAILBOX UID         has \Flagged
//	expunge ACCOUNT MAILBOX UID         is gone
//	move ACCOUNT MAILBOX UID DEST UID   is gone here and is there
//
// A message is expunged or moved only after the line that it is \Deleted was
// printed, so a change that was under way at the cut excuses no other loss.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/store/sqlite"
)

// engine is the only one so far: store/sqlite with its segment files.
const engine = "sqlite"

func main() {
	name := flag.String("engine", engine, "what to work on")
	control := flag.Bool("control", false, "leave out a sync, so that a cut loses something")
	flag.Parse()
	command := flag.Arg(0)
	if command == "engines" {
		fmt.Println(engine)
		return
	}
	dir := os.Getenv("POWERCUT_DIR")
	if *name != engine || dir == "" || command != "run" && command != "verify" {
		fmt.Fprintln(os.Stderr, "usage: POWERCUT_DIR=DIR storeworker [-engine "+engine+"] [-control] run|verify, or storeworker engines")
		os.Exit(2)
	}
	if err := work(command, filepath.Join(dir, "data"), *control); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func work(command, dir string, control bool) error {
	ctx := context.Background()
	if command == "verify" {
		return verify(ctx, dir, os.Stdin)
	}
	var o sqlite.Options
	if control {
		o.Synchronous = sqlite.UnsafeNormal
	}
	return run(ctx, dir, o)
}
