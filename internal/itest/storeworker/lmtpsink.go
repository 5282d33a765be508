package main

import (
	"bufio"
	"bytes"
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

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// sinkAddresses get the messages, up to three at once; new ones come up to the
// end, so that directories are made all the time.
const sinkAddresses = 1000

// runLMTPSink sends messages to examples/lmtpsink, which LMTPSINK names, and for
// the control LMTPSINK_CONTROL. The sink ends with the process group.
func runLMTPSink(ctx context.Context, dir string, control bool) error {
	name := "LMTPSINK"
	if control {
		name += "_CONTROL"
	}
	format := [...]string{"maildir", "files"}[rand.IntN(2)]
	cmd := exec.CommandContext(ctx, os.Getenv(name), "-lmtp", "127.0.0.1:0", "-dir", dir, "-format", format)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer cmd.Wait()
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) < 2 {
		return fmt.Errorf("%s said %q, %w", name, line, err)
	}
	var wg sync.WaitGroup
	errs := make(chan error, senders)
	for range senders {
		wg.Go(func() { errs <- sendToSink(ctx, fields[1]) })
	}
	return <-errs
}

// sendToSink sends messages over one connection until something breaks.
func sendToSink(ctx context.Context, addr string) error {
	c, err := (&smtpclient.Dialer{Hello: "worker.example", LMTP: true}).Dial(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		seed := newSeed()
		env := &smtp.Envelope{Mail: &smtp.Mail{}}
		for range 1 + rand.IntN(3) {
			local := fmt.Sprint("user", rand.IntN(sinkAddresses))
			env.Recipients = append(env.Recipients, &smtp.Recipient{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: "example.org"}}})
		}
		text := body(seed)
		res, err := c.Send(ctx, env, smtp.NewBody(bytes.NewReader(text), int64(len(text))))
		for i, r := range res.Recipients {
			if r.Outcome != smtpclient.Delivered {
				err = errors.Join(err, fmt.Errorf("message %d: %v %v", seed, r.Reply, r.Err))
			} else if err := say("sunk %d %s", seed, env.Recipients[i].ForwardPath); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// verifyLMTPSink looks for each message in the directory of its recipient. What
// is there, acknowledged or not, is whole.
func verifyLMTPSink(_ context.Context, dir string, lines io.Reader) error {
	type place struct {
		seed    uint32
		address string
	}
	got := make(map[place]int)
	for _, pattern := range [...]string{"*/new/*", "*/*.eml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				return err
			}
			seed, err := seedOf(b[max(0, bytes.Index(b, []byte("Subject: "))):])
			if err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
			address, _, _ := strings.Cut(strings.TrimPrefix(f, dir+string(filepath.Separator)), string(filepath.Separator))
			got[place{seed, address}]++
		}
	}
	for s := bufio.NewScanner(lines); s.Scan(); {
		var p place
		if _, err := fmt.Sscanf(s.Text(), "sunk %d %s", &p.seed, &p.address); err != nil {
			return err
		}
		if got[p] == 0 {
			return fmt.Errorf("message %d for %s is missing", p.seed, p.address)
		}
		got[p]-- // a message may go to one address twice
	}
	return nil
}
