//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// errMount marks a machine on which nothing can be mounted.
var errMount = errors.New("cannot mount")

// An ackLog collects acknowledgements until the power is cut.
type ackLog struct {
	mu     sync.Mutex
	start  time.Time
	lines  []string
	at     []time.Duration // moment of arrival, of lines read from a pipe
	cut    time.Duration   // moment of the cut
	closed bool
}

// follow reads whole lines from r until it ends.
func (l *ackLog) follow(r io.Reader) {
	for b := bufio.NewReader(r); ; {
		line, err := b.ReadString('\n')
		if err != nil {
			return // a line without its end acknowledges nothing
		}
		l.mu.Lock()
		if line = strings.TrimSpace(line); line != "" && !l.closed {
			l.lines = append(l.lines, line)
			l.at = append(l.at, time.Since(l.start))
		}
		l.mu.Unlock()
	}
}

// freeze cuts the power. An acknowledgement counts if it arrived before, so
// every operation that it rests on came before, too. With a file, its lines at
// this moment are the acknowledgements.
func (l *ackLog) freeze(v *volume, file string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.frozen, l.closed, l.cut = true, true, time.Since(l.start)
	if file == "" {
		return nil
	}
	b, err := os.ReadFile(file)
	for line := range strings.Lines(string(b)) {
		if id := strings.TrimSpace(line); id != "" && strings.HasSuffix(line, "\n") {
			l.lines = append(l.lines, id)
		}
	}
	return err
}

// A result is what one cut showed.
type result struct {
	acks   int
	after  time.Duration
	reason string // why verify failed, "" when nothing was lost
}

// cut runs the command on a fresh file system, cuts its power and verifies.
func (c *config) cut(ctx context.Context, number int) (res result, err error) {
	base, err := os.MkdirTemp("", "powercut-")
	if err != nil {
		return res, err
	}
	mnt, left := filepath.Join(base, "mnt"), filepath.Join(base, "left")
	defer func() {
		os.Remove(mnt) // not RemoveAll: never follow into a mount
		os.RemoveAll(left)
		os.Remove(base)
	}()
	if err := errors.Join(os.Chmod(base, 0o755), os.Mkdir(mnt, 0o755), os.Mkdir(left, 0o755)); err != nil {
		return res, err
	}
	rng := rand.New(rand.NewPCG(c.seed, uint64(number)))
	after := c.min + time.Duration(rng.Int64N(int64(c.max-c.min)+1))
	vol, acks := newVolume(), &ackLog{}
	if err := c.runUntilCut(ctx, vol, acks, mnt, after); err != nil {
		return res, err
	}
	res.acks, res.after = len(acks.lines), acks.cut
	image := func(path string) error { // the same each time it is called
		if c.model == "strict" {
			return vol.survivors(path, nil)
		}
		return vol.survivors(path, rand.New(rand.NewPCG(c.seed, ^uint64(number))))
	}
	if err := image(left); err != nil {
		return res, err
	}
	if res.reason, err = c.check(ctx, left, acks.lines); err != nil || res.reason == "" || c.keep == "" {
		return res, err
	}
	return res, c.save(number, res, acks, image)
}

// runUntilCut mounts vol, runs the command on it, freezes vol and unmounts it.
func (c *config) runUntilCut(ctx context.Context, vol *volume, acks *ackLog, mnt string, after time.Duration) error {
	unmount, err := mount(vol, mnt)
	if err != nil {
		return err
	}
	defer unmount()
	if c.ackFile != "" {
		if err := os.WriteFile(c.ackFile, nil, 0o666); err != nil {
			return err
		}
	}
	acks.start = time.Now()
	p, err := c.start(mnt, acks)
	if err != nil {
		return err
	}
	defer p.kill()
	switch err := p.wait(ctx, time.After(after)); {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("the -run command failed before the cut: %w", err)
	}
	return acks.freeze(vol, c.ackFile)
}

// mount serves vol at the directory mnt until unmount is called.
func mount(vol *volume, mnt string) (unmount func(), err error) {
	srv, err := fs.Mount(mnt, vol.root(), &fs.Options{NullPermissions: true, MountOptions: fuse.MountOptions{
		FsName: "powercut", Name: "powercut", DirectMountStrict: true, AllowOther: true,
		MaxWrite: 1 << 20, DisableReadDirPlus: true, DisableXAttrs: true,
		ExplicitDataCacheControl: true, // only the kernel changes files
	}})
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errMount, err)
	}
	return func() {
		if srv.Unmount() != nil { // a process outside of the group still uses it
			syscall.Unmount(mnt, syscall.MNT_DETACH)
		}
	}, nil
}

// A process is the running command, the leader of its own process group.
type process struct {
	cmd    *exec.Cmd
	pipe   *os.File      // its standard output
	read   chan struct{} // closed at the end of its standard output
	exited chan struct{} // closed when the leader ended
	err    error         // how the leader ended
}

func (c *config) start(mnt string, acks *ackLog) (*process, error) {
	p := &process{cmd: exec.Command("sh", "-c", c.run), read: make(chan struct{}), exited: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.pipe, p.cmd.Stdout, p.cmd.Stderr = r, w, os.Stderr
	p.cmd.Env = append(os.Environ(), "POWERCUT_DIR="+mnt)
	if c.ackFile != "" {
		p.cmd.Stdout = os.Stderr
		p.cmd.Env = append(p.cmd.Env, "POWERCUT_ACKS="+c.ackFile)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go func() { acks.follow(r); close(p.read) }()
	go func() { p.err = p.cmd.Wait(); close(p.exited) }()
	return p, nil
}

// wait returns at the moment of the cut, or earlier when the command failed or
// when all of it has ended, since then nothing changes any more.
func (p *process) wait(ctx context.Context, cut <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-cut:
		return nil
	case <-p.exited:
	}
	if p.err != nil {
		return p.err
	}
	ended := p.read
	if syscall.Kill(-p.cmd.Process.Pid, 0) == nil {
		ended = nil // the group lives on in the background
	}
	select {
	case <-ctx.Done():
	case <-cut:
	case <-ended:
	}
	return ctx.Err()
}

// kill ends the process group and waits for its leader.
func (p *process) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
	p.pipe.Close()
	<-p.read
}

// check runs the verify command; reason is its last line when it failed.
func (c *config) check(ctx context.Context, dir string, acks []string) (reason string, err error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", c.verify)
	cmd.Env = append(os.Environ(), "POWERCUT_DIR="+dir)
	cmd.Stdin = strings.NewReader(lines(acks))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit) && exit.ExitCode() != 126 && exit.ExitCode() != 127:
		text := strings.TrimSpace(string(out))
		if reason = text[strings.LastIndexByte(text, '\n')+1:]; reason == "" {
			reason = err.Error()
		}
		return reason, nil
	case err != nil:
		return "", fmt.Errorf("cannot run the -verify command: %w: %s", err, out)
	}
	return "", nil
}

// save keeps a failing cut for inspection, as it was before verify touched it.
func (c *config) save(number int, res result, acks *ackLog, image func(string) error) error {
	dir := filepath.Join(c.keep, fmt.Sprintf("cut-%d-%d", c.seed, number))
	files := filepath.Join(dir, "files")
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(files, 0o755)); err != nil {
		return err
	}
	var times []string
	for i, at := range acks.at {
		times = append(times, fmt.Sprintf("%.3fms %s", float64(at)/1e6, acks.lines[i]))
	}
	return errors.Join(image(files),
		os.WriteFile(filepath.Join(dir, "acks"), []byte(lines(acks.lines)), 0o644),
		os.WriteFile(filepath.Join(dir, "times"), []byte(lines(times)), 0o644),
		os.WriteFile(filepath.Join(dir, "reason"), []byte(res.reason+"\n"), 0o644))
}

func lines(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return strings.Join(list, "\n") + "\n"
}
