package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// idleFan measures the time from the completion of an APPEND to the moment
// when each idle connection has been told.
func (l *imapLoad) idleFan(r *result) error {
	writer, start, err := l.selected()
	if err != nil {
		return err
	}
	defer writer.Close()
	type event struct {
		exists int
		at     time.Time
		err    error
	}
	events := make(chan event, l.conc*4)
	for i := range l.conc {
		c, err := l.dial(i)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.sel("SELECT", l.mailbox); err != nil {
			return err
		}
		if _, err := c.send("IDLE"); err != nil {
			return err
		}
		for {
			line, err := c.response()
			if err != nil {
				return err
			}
			if line[0] == '+' {
				break
			}
		}
		go func() {
			for {
				line, err := c.response()
				if err != nil {
					events <- event{err: err}
					return
				}
				if n, ok := bytes.CutSuffix(line, []byte(" EXISTS")); ok {
					v, _ := strconv.Atoi(string(n[2:]))
					events <- event{exists: v, at: time.Now()}
				}
			}
		}()
	}
	var lat []time.Duration
	m := l.srv.start()
	for k := range l.n {
		if err := writer.appendMessages(l.mailbox, false, message(l.first+k, l.size)); err != nil {
			return err
		}
		done := time.Now()
		for seen := 0; seen < l.conc; {
			select {
			case e := <-events:
				if e.err != nil {
					return e.err
				}
				if e.exists == start+k+1 {
					lat = append(lat, max(0, e.at.Sub(done)))
					seen++
				}
			case <-time.After(40 * time.Second):
				return fmt.Errorf("message %d: only %d of %d idle connections told", k, seen, l.conc)
			}
		}
	}
	r.set("c", l.conc)
	m.stop(r, int64(l.n*l.conc))
	r.setLatency(lat)
	return nil
}

// cmdIdle opens idle connections and reports the server's memory for them.
func cmdIdle(args []string) error {
	l := &imapLoad{}
	fs := flag.NewFlagSet("idle", flag.ExitOnError)
	l.srv.flags(fs)
	fs.StringVar(&l.addr, "addr", "127.0.0.1:1143", "server address")
	fs.StringVar(&l.user, "user", "user", "user name; %d becomes the connection's index")
	fs.StringVar(&l.pass, "pass", "pass", "password")
	fs.StringVar(&l.mailbox, "mailbox", "INBOX", "mailbox")
	fs.IntVar(&l.conc, "c", 1000, "connections")
	settle := fs.Duration("settle", 3*time.Second, "time to wait before measuring")
	fs.BoolVar(&l.tls, "tls", false, "TLS from the first octet")
	debug := fs.String("debug", "", "address of a Go server's /debug/vars and /debug/pprof: its heap and stacks are reported too")
	selectOnly := fs.Bool("noidle", false, "only select, do not IDLE")
	fs.Parse(args)
	if !l.srv.measured() {
		return errors.New("-cg or -pid is required")
	}
	used0, err := goMemory(*debug)
	if err != nil {
		return err
	}
	before, procs0 := l.srv.memory()
	m := l.srv.start()
	for i := range l.conc {
		c, err := l.dial(i)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		defer c.Close()
		if _, err := c.sel("SELECT", l.mailbox); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if *selectOnly {
			continue
		}
		if _, err := c.send("IDLE"); err != nil {
			return err
		}
		for {
			line, err := c.response()
			if err != nil {
				return fmt.Errorf("connection %d: %w", i, err)
			}
			if line[0] == '+' {
				break
			}
		}
		c.r, c.buf = nil, nil // keep the client small
	}
	r := newResult("idle")
	m.stop(r, int64(l.conc))
	time.Sleep(*settle)
	after, procs1 := l.srv.memory()
	used1, err := goMemory(*debug)
	if err != nil {
		return err
	}
	r.set("procs", fmt.Sprintf("%d->%d", procs0, procs1))
	r.set("mem_before_MB", float64(before)/1e6)
	r.set("mem_after_MB", float64(after)/1e6)
	r.set("KiB_per_conn", float64(after-before)/1024/float64(l.conc))
	if *debug != "" {
		r.set("go_KiB_per_conn", float64(used1-used0)/1024/float64(l.conc))
	}
	r.print(l.srv.json)
	return nil
}

// goMemory is what a Go server holds in its heap and stacks after a collection;
// 0 if there is no address to ask.
func goMemory(addr string) (int64, error) {
	if addr == "" {
		return 0, nil
	}
	for range 2 { // stacks shrink by half
		if _, err := get("http://" + addr + "/debug/pprof/heap?gc=1"); err != nil {
			return 0, err
		}
	}
	b, err := get("http://" + addr + "/debug/vars")
	if err != nil {
		return 0, err
	}
	var vars struct {
		Memstats struct{ HeapAlloc, StackInuse int64 }
	}
	err = json.Unmarshal(b, &vars)
	return vars.Memstats.HeapAlloc + vars.Memstats.StackInuse, err
}

func get(url string) ([]byte, error) {
	res, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}
