// Storeworker is the program that the power-cut test runs: it changes a store
// from several goroutines and prints a line for each effect that the store
// acknowledged; after the cut it looks for all of them.
//
//	storeworker run [-control]     in POWERCUT_DIR, until it is killed
//	storeworker verify             with the lines on its standard input
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
	"fmt"
	"os"
	"path/filepath"

	"github.com/mailstead/mailstead/store/sqlite"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: storeworker run [-control] | verify")
		os.Exit(2)
	}
	dir := filepath.Join(os.Getenv("POWERCUT_DIR"), "data")
	ctx := context.Background()
	var err error
	switch {
	case os.Args[1] == "run" && len(os.Args) == 2:
		err = run(ctx, dir, sqlite.Options{})
	case os.Args[1] == "run" && os.Args[2] == "-control":
		err = run(ctx, dir, sqlite.Options{Synchronous: sqlite.UnsafeNormal})
	case os.Args[1] == "verify":
		err = verify(ctx, dir, os.Stdin)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1:])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
