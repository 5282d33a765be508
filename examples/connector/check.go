package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/store"
)

// checkCmd is check.
type checkCmd struct {
	Sources []string      `arg:"" optional:"" help:"Names of sources; none = all."`
	Offline bool          `help:"Connect to nobody: only the configuration is checked."`
	Headers int           `default:"5" help:"Of how many messages that would be collected the header is looked at, to say who would get them."`
	Timeout time.Duration `default:"60s" help:"How long one source may take."`
}

// checkAtOnce is how many sources are connected to at a time.
const checkAtOnce = 4

// sourceReport is what is said of a source.
type sourceReport struct {
	Name     string          `json:"name"`
	OK       bool            `json:"ok"`
	Error    string          `json:"error,omitempty"`
	Messages int             `json:"messages"`
	Octets   int64           `json:"octets"`
	New      *int            `json:"new,omitempty"` // not collected yet; none = the state cannot be read now
	Leave    string          `json:"leave"`
	Target   string          `json:"target"`
	Would    []messageReport `json:"would,omitempty"`
}

// messageReport is what would be done with a message.
type messageReport struct {
	ID         string   `json:"id"`
	Recipients []string `json:"recipients"`
	Step       string   `json:"step,omitempty"`
	Quarantine string   `json:"quarantine,omitempty"`
}

// Run implements the command.
func (c *checkCmd) Run(a *app) error {
	s, err := a.settings()
	if err != nil {
		return err
	}
	if err := choose(s, c.Sources); err != nil {
		return err
	}
	k := &checking{c: c, a: a, s: s}
	if err := k.targets(); err != nil {
		return &useError{err}
	}
	if c.Offline {
		fmt.Fprintf(a.err, "connector: the configuration is in order: %d sources, %d targets\n", len(s.Sources), len(s.Targets))
		return nil
	}
	if err := k.openState(); err != nil {
		return err
	}
	reports, err := k.all()
	if err == nil {
		err = k.print(reports)
	}
	return errors.Join(err, k.close())
}

// checking is a check under way.
type checking struct {
	c   *checkCmd
	a   *app
	s   *settings.Settings
	g   *generation
	svc *service // nil = there is no state, or somebody else has it
	own bool     // nothing was collected so far
}

// targets checks what the configuration alone does not say: passwords, files.
func (k *checking) targets() error {
	var errs []error
	for _, name := range sortedNames(k.s.Targets) {
		t := k.s.Targets[name]
		if t.User == "" {
			continue
		}
		if _, err := t.Password.Reveal(t.PasswordEnv, os.Getenv); err != nil {
			errs = append(errs, k.s.FaultAt("targets."+name+".password", err))
		}
	}
	for i, src := range k.s.Sources {
		if src.Disabled || src.OAuth != "" {
			continue
		}
		if _, err := src.Password.Reveal(src.PasswordEnv, os.Getenv); err != nil {
			errs = append(errs, k.s.FaultAt(fmt.Sprintf("source[%d].password", i), err))
		}
	}
	return errors.Join(errs...)
}

// openState reads what was collected, where no connector runs.
func (k *checking) openState() (err error) {
	k.svc, err = openExisting(k.a.ctx, k.s.Data, k.a.log)
	if errors.Is(err, store.ErrInUse) {
		return nil
	}
	k.own = err == nil && k.svc == nil
	return err
}

func (k *checking) close() error {
	if k.svc == nil {
		return nil
	}
	return k.svc.close()
}

// opener opens sessions of a source.
type opener func(context.Context) (fetch.Session, error)

// all checks the sources, in the order of the configuration.
func (k *checking) all() ([]sourceReport, error) {
	var err error
	if k.g, err = bareGeneration(k.s, k.a.log); err != nil {
		return nil, err
	}
	reports := make([]sourceReport, len(k.s.Sources))
	free := make(chan struct{}, checkAtOnce)
	var wg sync.WaitGroup
	for i, src := range k.s.Sources {
		if src.Disabled {
			continue
		}
		r := &reports[i]
		r.Name, r.Leave, r.Target = src.Name, leaveWords(src), src.Target
		open, err := k.g.opener(src)
		if err != nil {
			r.Error = err.Error()
			continue
		}
		wg.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			ctx, cancel := context.WithTimeout(k.a.ctx, k.c.Timeout)
			defer cancel()
			err := k.source(ctx, src, open, r)
			if r.OK = err == nil; !r.OK {
				r.Error = err.Error()
			}
		})
	}
	wg.Wait()
	return reports, nil
}

// source logs in, lists, and looks at headers.
func (k *checking) source(ctx context.Context, src *settings.Source, open opener, r *sourceReport) error {
	ses, err := open(ctx)
	if err != nil {
		return err
	}
	defer ses.Close()
	known, err := k.known(ctx, src.Name)
	if err != nil {
		return err
	}
	var fresh []fetch.Item
	for it, err := range ses.List(ctx) {
		if err != nil {
			return err
		}
		r.Messages++
		r.Octets += max(it.Size, 0)
		if known != nil && !known[it.ID] {
			fresh = append(fresh, it)
		}
	}
	if known == nil {
		return nil
	}
	n := len(fresh)
	r.New = &n
	return k.would(ctx, ses, src, fresh[:min(n, k.c.Headers)], r)
}

// known are the ids that were collected; nil = nobody knows now.
func (k *checking) known(ctx context.Context, name string) (map[string]bool, error) {
	if k.svc == nil && !k.own {
		return nil, nil
	}
	ids := make(map[string]bool)
	if k.svc == nil {
		return ids, nil
	}
	for rec, err := range k.svc.state.Records(ctx, name) {
		if err != nil {
			return nil, err
		}
		if rec.Kind == fetch.KindMessage && !rec.Fetched.IsZero() {
			ids[rec.ID] = true
		}
	}
	return ids, nil
}

// would says who would get messages.
func (k *checking) would(ctx context.Context, ses fetch.Session, src *settings.Source, items []fetch.Item, r *sourceReport) error {
	who, err := k.g.recipients(src)
	if err != nil {
		return err
	}
	for _, it := range items {
		head, err := ses.Head(ctx, &it)
		if errors.Is(err, fetch.ErrGone) {
			continue
		}
		if err != nil {
			return err
		}
		d, err := who.Resolve(ctx, &fetch.Message{Source: src.Name, Item: it, Header: head, Size: it.Size})
		if err != nil {
			return err
		}
		m := messageReport{ID: it.ID, Step: d.Step, Recipients: []string{}}
		for _, p := range d.Recipients {
			m.Recipients = append(m.Recipients, p.String())
		}
		if len(m.Recipients) == 0 {
			m.Quarantine = d.Quarantine
		}
		r.Would = append(r.Would, m)
	}
	return nil
}

// leaveWords says what stays on the server.
func leaveWords(src *settings.Source) string {
	switch src.Leave {
	case "", "never":
		return "never"
	case "always", "until-seen":
		return src.Leave
	}
	return "for " + src.Leave
}

// print says what was found; errProblems where a source failed.
func (k *checking) print(reports []sourceReport) error {
	failed := false
	for i := range reports {
		r := &reports[i]
		if r.Name == "" {
			continue // disabled
		}
		failed = failed || !r.OK
		if k.a.json {
			if err := k.a.result(r); err != nil {
				return err
			}
			continue
		}
		r.print(k.a)
	}
	if failed {
		return errProblems
	}
	return nil
}

func (r *sourceReport) print(a *app) {
	if !r.OK {
		fmt.Fprintf(a.out, "%s: FAILED: %s\n", r.Name, r.Error)
		return
	}
	collect := "a connector runs, and knows which are new"
	if r.New != nil {
		collect = fmt.Sprintf("%d would be collected", *r.New)
	}
	fmt.Fprintf(a.out, "%s: ok: logged in, %d messages with %d octets, %s; they go to %s, and stay on the server: %s\n",
		r.Name, r.Messages, r.Octets, collect, r.Target, r.Leave)
	for _, m := range r.Would {
		who := strings.Join(m.Recipients, " ")
		if who == "" {
			who = "quarantine: " + m.Quarantine
		}
		fmt.Fprintf(a.out, "  %q -> %s (%s)\n", m.ID, who, m.Step)
	}
}
