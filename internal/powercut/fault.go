//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// The commands of -serve, one a line. What fails stays so until heal.
//
//	nospace [N]     a file that grows, after N octets more, meets ENOSPC; the last write may be short
//	syncfail        every fsync fails with EIO, and what it should have saved is lost
//	readfail NAMES  every read of a file whose name matches (as in path.Match) fails with EIO
//	readonly        whatever changes something fails with EROFS
//	heal            all works again
//	cut MODEL DIR   writes into the empty DIR what a power cut would leave now; MODEL is strict, or a seed of the model random

// unlimited is the room of a disk that is never full.
const unlimited = -1

// A fault is what fails while the power is there; guarded by volume.mu.
type fault struct {
	room     int64 // octets by which files may still grow
	syncs    bool  // fsync fails
	readOnly bool  // whatever changes something fails
}

// take uses up the room by which a file of this size is longer than now. It
// reports false where there is too little; a smaller growth may still fit.
func (n *node) take(size int64) bool {
	room, grows := &n.vol.fault.room, size-int64(len(n.data))
	if *room == unlimited || grows <= 0 {
		return true
	}
	if grows > *room {
		return false
	}
	*room -= grows
	return true
}

// loseUnsynced is what an fsync that fails does: the kernel drops what it could
// not write, yet reads still find it, and the next fsync succeeds. What a
// directory has lost it keeps trying to write.
func (n *node) loseUnsynced() {
	clear(n.dirty)
	n.shrunk = -1
}

// serveFaults mounts an empty file system and obeys the commands on standard
// input until it ends; each is answered with a line, "ok" or the error.
func (c *config) serveFaults(ctx context.Context, out io.Writer) (int, error) {
	vol := newVolume()
	unmount, err := mount(vol, c.serve)
	if err != nil {
		return 0, err
	}
	defer unmount()
	fmt.Fprintln(out, "ok")
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case line, ok := <-lines:
			if !ok {
				return 0, nil
			}
			if err := vol.obey(strings.Fields(line)); err != nil {
				fmt.Fprintln(out, "error:", err)
			} else {
				fmt.Fprintln(out, "ok")
			}
		}
	}
}

// obey carries out one command.
func (v *volume) obey(words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("no command")
	}
	word, args := words[0], words[1:]
	switch {
	case word == "cut" && len(args) == 2:
		var rng *rand.Rand
		if args[0] != "strict" {
			seed, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return fmt.Errorf("%q is neither strict nor a seed", args[0])
			}
			rng = rand.New(rand.NewPCG(seed, 0))
		}
		return v.survivors(args[1], rng)
	case word == "nospace" && len(args) <= 1:
		room := int64(0)
		if len(args) == 1 {
			var err error
			if room, err = strconv.ParseInt(args[0], 10, 64); err != nil || room < 0 {
				return fmt.Errorf("%q is no number of octets", args[0])
			}
		}
		v.set(func(f *fault) { f.room = room })
	case word == "readfail" && len(args) == 1:
		v.unreadable(args[0])
	case len(args) > 0:
		return fmt.Errorf("unknown command %q", words)
	case word == "syncfail":
		v.set(func(f *fault) { f.syncs = true })
	case word == "readonly":
		v.set(func(f *fault) { f.readOnly = true })
	case word == "heal":
		v.heal()
	default:
		return fmt.Errorf("unknown command %q", words)
	}
	return nil
}

func (v *volume) heal() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fault = fault{room: unlimited}
	for _, d := range v.dirs {
		for _, c := range d.ents {
			c.unreadable = false
		}
	}
}

func (v *volume) set(change func(*fault)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	change(&v.fault)
}

// unreadable marks the files that cannot be read, by a name that they have now,
// and makes the kernel forget them, so that the next read is asked of us. It
// holds no lock then: the kernel may have to write first.
func (v *volume) unreadable(names string) {
	v.mu.Lock()
	var files []*node
	for _, d := range v.dirs {
		for name, c := range d.ents {
			if ok, _ := path.Match(names, name); ok && c.kind == syscall.S_IFREG {
				c.unreadable = true
				files = append(files, c)
			}
		}
	}
	v.mu.Unlock()
	for _, n := range files {
		n.NotifyContent(0, 0)
	}
}
