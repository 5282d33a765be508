package main

import (
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// diskLoad is the configuration and the state of the disk command.
type diskLoad struct {
	mode   string
	tmp    string
	dir    *os.File // tmp, to be synced
	log    *os.File
	logMu  sync.Mutex // one append and its fsync at a time, in mode log
	buf    []byte
	groups chan chan error // mode group: writers waiting for the next fsync
}

// cmdDisk measures what the disk allows, so that servers can be compared with
// the physical limit as well as with each other.
func cmdDisk(args []string) error {
	fs := flag.NewFlagSet("disk", flag.ExitOnError)
	dir := fs.String("dir", "", "directory for temporary files (required)")
	mode := fs.String("mode", "file", "file: create+write+fsync; filedir: also fsync the directory; log: append+fsync, serial; group: append, one fsync per batch of waiting writers")
	conc := fs.Int("c", 1, "concurrent writers")
	size := fs.Int("size", 4096, "bytes per write")
	dur := fs.Duration("d", 3*time.Second, "duration")
	fs.Parse(args)
	if *dir == "" {
		return errors.New("-dir is required")
	}
	tmp, err := os.MkdirTemp(*dir, "mailload")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	d := &diskLoad{mode: *mode, tmp: tmp, buf: bodyText(*size, 1, false), groups: make(chan chan error, *conc)}
	if d.dir, err = os.Open(tmp); err != nil {
		return err
	}
	defer d.dir.Close()
	if d.log, err = os.OpenFile(filepath.Join(tmp, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return err
	}
	defer d.log.Close()

	var committer sync.WaitGroup
	committer.Go(d.commitGroups)
	t0 := time.Now()
	lat, err := d.writers(*conc, t0.Add(*dur))
	wall := time.Since(t0)
	close(d.groups)
	committer.Wait()

	r := newResult("disk")
	r.set("mode", d.mode)
	r.set("c", *conc)
	r.set("size", *size)
	r.set("per_s", float64(len(lat))/wall.Seconds())
	r.setLatency(lat)
	r.print(false)
	return err
}

// writers runs conc writers until the deadline and returns how long each write took.
func (d *diskLoad) writers(conc int, deadline time.Time) ([]time.Duration, error) {
	var wg sync.WaitGroup
	lats, errs := make([][]time.Duration, conc), make([]error, conc)
	for g := range conc {
		wg.Go(func() {
			for i := 0; time.Now().Before(deadline) && errs[g] == nil; i++ {
				t := time.Now()
				errs[g] = d.write(g, i)
				lats[g] = append(lats[g], time.Since(t))
			}
		})
	}
	wg.Wait()
	var all []time.Duration
	for _, l := range lats {
		all = append(all, l...)
	}
	return all, errors.Join(errs...)
}

// write makes one durable write: number i of writer g.
func (d *diskLoad) write(g, i int) error {
	switch d.mode {
	case "log":
		d.logMu.Lock()
		defer d.logMu.Unlock()
		if _, err := d.log.Write(d.buf); err != nil {
			return err
		}
		return d.log.Sync()
	case "group":
		done := make(chan error, 1)
		d.groups <- done
		return <-done
	}
	f, err := os.Create(filepath.Join(d.tmp, fmt.Sprintf("%d.%d", g, i)))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(d.buf); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if d.mode == "filedir" {
		return d.dir.Sync()
	}
	return nil
}

// commitGroups serves mode group: one fsync for all who wait at the moment.
func (d *diskLoad) commitGroups() {
	for first := range d.groups {
		batch := []chan error{first}
		for len(d.groups) > 0 {
			batch = append(batch, <-d.groups)
		}
		var err error
		for range batch {
			_, e := d.log.Write(d.buf)
			err = errors.Join(err, e)
		}
		err = errors.Join(err, d.log.Sync())
		for _, b := range batch {
			b <- err
		}
	}
}

// cmdCPU measures memory, hashing and loopback bandwidth.
func cmdCPU(args []string) error {
	fs := flag.NewFlagSet("cpu", flag.ExitOnError)
	fs.Parse(args)
	a, b := make([]byte, 64<<20), make([]byte, 64<<20)
	bandwidth("memcpy 64MiB", len(a), func() { copy(b, a) })
	bandwidth("memcpy 32KiB", 32<<10, func() { copy(b[:32<<10], a[:32<<10]) })
	bandwidth("crc32", 1<<20, func() { crc32.ChecksumIEEE(a[:1<<20]) })
	bandwidth("sha256", 1<<20, func() { sha256.Sum256(a[:1<<20]) })
	return loopback(a[:256<<10])
}

// bandwidth repeats f, which handles n bytes, for a second.
func bandwidth(name string, n int, f func()) {
	t0 := time.Now()
	k := 0
	for time.Since(t0) < time.Second {
		f()
		k++
	}
	r := newResult("cpu")
	r.set("what", name)
	r.set("MB_per_s", float64(k)*float64(n)/1e6/time.Since(t0).Seconds())
	r.print(false)
}

// loopback measures the bandwidth of writes of chunk, then round trips of one byte.
func loopback(chunk []byte) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	go serveLoopback(ln)
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	bandwidth("loopback TCP, 256KiB writes", len(chunk), func() { c.Write(chunk) })
	c.Close()
	if c, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return err
	}
	defer c.Close()
	one := []byte("e")
	t0 := time.Now()
	n := 0
	for time.Since(t0) < time.Second {
		if _, err := c.Write(one); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, one); err != nil {
			return err
		}
		n++
	}
	r := newResult("cpu")
	r.set("what", "loopback TCP round trips")
	r.set("per_s", float64(n)/time.Since(t0).Seconds())
	r.print(false)
	return nil
}

// serveLoopback echoes connections whose first byte is 'e' and swallows the others.
func serveLoopback(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			first := make([]byte, 1)
			if _, err := io.ReadFull(c, first); err != nil {
				return
			}
			for first[0] == 'e' {
				if _, err := c.Write(first); err != nil {
					return
				}
				if _, err := io.ReadFull(c, first); err != nil {
					return
				}
			}
			io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 256<<10))
		}()
	}
}
