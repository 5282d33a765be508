package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

type queueRuleCmd struct {
	List   ruleListCmd   `cmd:"" help:"List the rules that hold messages as they are accepted."`
	Add    ruleAddCmd    `cmd:"" help:"Add a rule, or put it in the place of one of the same name."`
	Remove ruleRemoveCmd `cmd:"" help:"Take rules away; what they hold stays held."`
}

func ruleLine(r *answer.HoldRule) string {
	var b strings.Builder
	b.WriteString(r.Name)
	for _, f := range [...]struct{ name, value string }{
		{"sender", r.Sender},
		{"recipient", r.Recipient},
		{"destination", r.Destination},
		{"identity", r.Identity},
		{"octets from", some(r.MinOctets)},
		{"recipients from", some(int64(r.MinRecipients))},
	} {
		if f.value != "" {
			b.WriteString("  " + f.name + " " + f.value)
		}
	}
	if r.All {
		b.WriteString("  everything")
	}
	if r.Expires != nil {
		b.WriteString("  until " + r.Expires.Local().Format(time.DateTime))
	}
	if r.Reason != "" {
		b.WriteString("  " + r.Reason)
	}
	return b.String()
}

func some(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func (a *app) rules() (x answer.HoldRules, err error) {
	err = a.withQueue(func(s *sqlqueue.Storage) error {
		rules, err := a.holdRules(s).List(a.ctx)
		for i := range rules {
			x.Rules = append(x.Rules, answer.HoldRuleOf(&rules[i]))
		}
		if errors.Is(err, holdrule.ErrRule) {
			x.Damaged, err = err.Error(), nil
		}
		return err
	}, func(s *server) error { return s.Do(a.ctx, http.MethodGet, "/v1/queue/rules", nil, &x) })
	if x.Rules == nil {
		x.Rules = []answer.HoldRule{}
	}
	return x, err
}

func (a *app) holdRules(s *sqlqueue.Storage) *holdrule.Rules {
	rules := holdrule.New(s)
	rules.Logger = a.log
	return rules
}

type ruleListCmd struct{}

// Run lists rules.
func (ruleListCmd) Run(a *app) error {
	x, err := a.rules()
	if err != nil {
		return err
	}
	var lines []string
	for i := range x.Rules {
		lines = append(lines, ruleLine(&x.Rules[i]))
	}
	if err := a.result(x, lines...); err != nil || x.Damaged == "" {
		return err
	}
	fmt.Fprintln(a.err, "mailctl:", x.Damaged)
	return errProblems
}

type ruleAddCmd struct {
	answer.HoldRule
	For time.Duration `help:"How long; without it for good." placeholder:"TIME"`
}

// ruleChange counts rules.
type ruleChange struct {
	Rules  int  `json:"rules"`
	DryRun bool `json:"dry_run,omitempty"`
}

func (a *app) ruleCount(n int) error {
	return a.result(ruleChange{n, a.dryRun}, fmt.Sprintf("%d rules", n))
}

// Run adds a rule.
func (c *ruleAddCmd) Run(a *app) error {
	if c.Sender != "<>" {
		c.Sender = addressOf(c.Sender)
	}
	c.Recipient = addressOf(c.Recipient)
	switch {
	case c.For < 0:
		return &useError{"--for is negative"}
	case c.For > 0:
		c.Expires = answer.Known(time.Now().Add(c.For))
	}
	if a.dryRun {
		return a.ruleCount(1)
	}
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		err := a.holdRules(s).Put(a.ctx, c.Rule())
		if errors.Is(err, holdrule.ErrRule) || errors.Is(err, queue.ErrEntry) {
			return &useError{err.Error()}
		}
		return err
	}, func(s *server) error { return s.Do(a.ctx, http.MethodPost, "/v1/queue/rules", c.HoldRule, nil) })
	if err != nil {
		return err
	}
	return a.ruleCount(1)
}

type ruleRemoveCmd struct {
	Names []string `arg:"" name:"name" help:"Names of rules."`
}

// Run takes rules away, also those that cannot be read and are not listed.
func (c *ruleRemoveCmd) Run(a *app) error {
	if slices.Contains(c.Names, "") {
		return &useError{"a name is empty"}
	}
	if a.dryRun {
		x, err := a.rules()
		if err != nil {
			return err
		}
		n := 0
		for i := range x.Rules {
			if slices.Contains(c.Names, x.Rules[i].Name) {
				n++
			}
		}
		return a.ruleCount(n)
	}
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		return a.holdRules(s).Remove(a.ctx, c.Names...)
	}, func(s *server) error {
		for _, name := range c.Names {
			if err := s.Do(a.ctx, http.MethodDelete, "/v1/queue/rules/"+url.PathEscape(name), nil, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.ruleCount(len(c.Names))
}
