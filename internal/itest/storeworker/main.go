// Storeworker is the program that the power-cut test runs: it changes a store
// from several goroutines and prints a line for each effect that the store
// acknowledged; after the cut it looks for all of them.
//
//	storeworker engines                      the names of the engines
//	storeworker -engine NAME [-control] run  in POWERCUT_DIR, until it is killed
//	storeworker -engine NAME verify          with the lines on its standard input
//	storeworker -engine NAME count           what the lines on its standard input acknowledge, by kind
//
// What run says goes to the file that POWERCUT_ACKS names, else to its standard
// output. With -control a sync is left out: then verify must find a loss, which
// shows that it would notice one.
//
// The lines of a store are those of package model.go; the queue says
//
//	queued SEED        a message that the queue took; it comes to INBOX once
//
// and examples/lmtpsink, which LMTPSINK names (LMTPSINK_CONTROL with -control),
//
//	sunk SEED ADDRESS  a message that it took for a recipient
package main

import (
	"bufio"
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
)

// engine is what the power can be cut of: it runs until it is killed, and looks
// for what it has said.
type engine struct {
	run    func(ctx context.Context, dir string, control bool) error
	verify func(ctx context.Context, dir string, lines io.Reader) error
}

var engines = map[string]engine{
	"sqlite":  storeEngine(openSQLite),
	"maildir": storeEngine(openMaildir),
	"queue":   {runQueue, verifyQueue}, // a message's whole way: queue, runner, local delivery
	// A program: a message by LMTP into its files.
	"lmtpsink": {runLMTPSink, verifyLMTPSink},
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
	var err error
	switch {
	case command == "count":
		count(os.Stdin)
	case dir == "data" || !known:
		err = errors.New("usage: POWERCUT_DIR=DIR storeworker [-engine NAME] [-control] run|verify, or storeworker engines")
	case command == "run":
		err = engine.run(ctx, dir, *control)
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

// count prints how often each kind of line is there.
func count(lines io.Reader) {
	kinds := map[string]int{}
	for in := bufio.NewScanner(lines); in.Scan(); {
		word, _, _ := strings.Cut(in.Text(), " ")
		kinds[word]++
	}
	for _, word := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Println(kinds[word], word)
	}
}
