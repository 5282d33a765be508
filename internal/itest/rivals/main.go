// Rivals is the program that internal/itest/rivals.sh cuts the power of: small
// honest stores of messages, each in the setting that is said to be safe and in
// the one that many choose for speed, and this library's store beside them.
//
//	rivals names              the names, one a line, with "safe" or "fast"
//	rivals -rival NAME run    stores messages in POWERCUT_DIR until it is killed
//	rivals -rival NAME verify looks for the messages on its standard input
//
// run says "stored ID" for each message once the store has said that it is
// kept. verify appends "begin ACKNOWLEDGED" and "end LOST" to the file in
// RIVALS_TALLY.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// keeper is a store of messages. put may be called from many goroutines; what it
// returned nil for is said to be kept. get returns nil for what is not there.
type keeper interface {
	put(id uint64, body []byte) error
	get(id uint64) ([]byte, error)
	close() error
}

// rival is a keeper in one setting.
type rival struct {
	name string
	kind string // "safe", or "fast": lets a power cut take back what was said
	open func(dir string) (keeper, error)
}

var rivals = []rival{
	{"mailstead", "safe", openMailstead},
	{"sqlite-full", "safe", func(dir string) (keeper, error) { return openSQLite(dir, "FULL") }},
	{"sqlite-normal", "fast", func(dir string) (keeper, error) { return openSQLite(dir, "NORMAL") }},
	{"bbolt", "safe", func(dir string) (keeper, error) { return openBolt(dir, false) }},
	{"bbolt-nosync", "fast", func(dir string) (keeper, error) { return openBolt(dir, true) }},
	{"file-queue", "safe", func(dir string) (keeper, error) { return openFiles(dir, true) }},
	{"file-queue-nodirsync", "fast", func(dir string) (keeper, error) { return openFiles(dir, false) }},
}

// writers store at the same time.
const writers = 8

func main() {
	name := flag.String("rival", "", "which one")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "names":
		for _, r := range rivals {
			fmt.Println(r.name, r.kind)
		}
	case "run", "verify":
		err = errors.New("no such rival: " + *name)
		for _, r := range rivals {
			if r.name == *name {
				err = r.do(flag.Arg(0), filepath.Join(os.Getenv("POWERCUT_DIR"), "data"))
			}
		}
	default:
		err = errors.New("usage: rivals names, or POWERCUT_DIR=DIR rivals -rival NAME run|verify")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func (r rival) do(command, dir string) error {
	if err := makeDir(dir); err != nil {
		return err
	}
	if command == "verify" { // counts if nothing more is said: some crash on what is left
		if err := note(fmt.Sprint("begin ", acknowledged())); err != nil {
			return err
		}
	}
	k, err := r.open(dir)
	if err != nil {
		if command == "verify" {
			err = tally(acknowledged(), acknowledged(), fmt.Errorf("does not open: %w", err))
		}
		return err
	}
	defer k.close()
	if command == "run" {
		return run(k)
	}
	return verify(k)
}

// makeDir makes a directory whose name survives, so that each rival starts fair.
func makeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// message follows from its id.
func message(id uint64) []byte {
	b := fmt.Appendf(nil, "Subject: %d\r\n\r\n", id)
	for n := 500 + int(id*7919%8000); len(b) < n; {
		b = fmt.Appendf(b, "line %d of message %d\r\n", len(b), id)
	}
	return b
}

func run(k keeper) error {
	acks, err := os.OpenFile(os.Getenv("POWERCUT_ACKS"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer acks.Close()
	var next atomic.Uint64
	var all sync.WaitGroup
	errs := make(chan error, writers)
	for range writers {
		all.Go(func() {
			for {
				id := next.Add(1)
				err := k.put(id, message(id))
				if err == nil {
					_, err = fmt.Fprintf(acks, "stored %d\n", id)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	return <-errs
}

// ids are those on the standard input.
var ids = sync.OnceValue(func() (list []uint64) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var id uint64
		if _, err := fmt.Sscanf(in.Text(), "stored %d", &id); err == nil {
			list = append(list, id)
		}
	}
	return list
})

func acknowledged() int { return len(ids()) }

func verify(k keeper) error {
	lost, first := 0, error(nil)
	for _, id := range ids() {
		got, err := k.get(id)
		if err == nil && !bytes.Equal(got, message(id)) {
			err = errors.New("is missing")
			if got != nil {
				err = errors.New("is damaged")
			}
		}
		if err != nil {
			lost++
			if first == nil {
				first = fmt.Errorf("message %d: %w", id, err)
			}
		}
	}
	return tally(lost, acknowledged(), first)
}

// tally notes what one cut cost, and returns why.
func tally(lost, acked int, why error) error {
	if err := note(fmt.Sprint("end ", lost)); err != nil {
		return errors.Join(why, err)
	}
	if why != nil {
		return fmt.Errorf("%d of %d lost: %w", lost, acked, why)
	}
	return nil
}

func note(line string) error {
	f, err := os.OpenFile(os.Getenv("RIVALS_TALLY"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}
