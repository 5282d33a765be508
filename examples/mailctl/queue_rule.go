package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

type queueRuleCmd struct {
	List   ruleListCmd   `cmd:"" help:"List the rules that hold messages as they are accepted."`
	Add    ruleAddCmd    `cmd:"" help:"Add a rule, or put it in the place of one of the same name."`
	Remove ruleRemoveCmd `cmd:"" help:"Take rules away; what they hold stays held."`
}

// holdRule is a rule: what it says has all to be true of a message.
type holdRule struct {
	Name          string     `arg:"" json:"name" help:"Names the rule."`
	Reason        string     `json:"reason,omitempty" help:"Kept with the jobs."`
	Sender        string     `json:"sender,omitempty" help:"Of this sender or domain, or <> for the null sender." placeholder:"ADDRESS"`
	Recipient     string     `json:"recipient,omitempty" help:"To this recipient or domain." placeholder:"ADDRESS"`
	Destination   string     `json:"destination,omitempty" help:"To this next hop." placeholder:"NAME"`
	Identity      string     `json:"identity,omitempty" help:"Submitted by this account." placeholder:"NAME"`
	MinOctets     int64      `json:"min_octets,omitempty" help:"Of at least this size."`
	MinRecipients int        `json:"min_recipients,omitempty" help:"To at least so many recipients."`
	All           bool       `json:"all,omitempty" help:"Every message."`
	Expires       *time.Time `kong:"-" json:"expires,omitempty"`
}

func (r *holdRule) rule() holdrule.Rule {
	x := holdrule.Rule{
		Name: r.Name, Reason: r.Reason, Sender: r.Sender, Recipient: r.Recipient, Destination: r.Destination, Identity: r.Identity,
		MinOctets: r.MinOctets, MinRecipients: r.MinRecipients, All: r.All,
	}
	if r.Expires != nil {
		x.Expires = *r.Expires
	}
	return x
}

func ruleOf(x *holdrule.Rule) holdRule {
	return holdRule{
		Name: x.Name, Reason: x.Reason, Sender: x.Sender, Recipient: x.Recipient, Destination: x.Destination, Identity: x.Identity,
		MinOctets: x.MinOctets, MinRecipients: x.MinRecipients, All: x.All, Expires: known(x.Expires.UTC()),
	}
}

func (r *holdRule) line() string {
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

// holdRules lists rules.
type holdRules struct {
	Rules   []holdRule `json:"rules"`
	Damaged string     `json:"damaged,omitempty"`
}

func (a *app) rules() (x holdRules, err error) {
	err = a.withQueue(func(s *sqlqueue.Storage) error {
		rules, err := a.holdRules(s).List(a.ctx)
		for i := range rules {
			x.Rules = append(x.Rules, ruleOf(&rules[i]))
		}
		if errors.Is(err, holdrule.ErrRule) {
			x.Damaged, err = err.Error(), nil
		}
		return err
	}, func(s *server) error { return s.Do(a.ctx, http.MethodGet, "/v1/queue/rules", nil, &x) })
	if x.Rules == nil {
		x.Rules = []holdRule{}
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
		lines = append(lines, x.Rules[i].line())
	}
	if err := a.result(x, lines...); err != nil || x.Damaged == "" {
		return err
	}
	fmt.Fprintln(a.err, "mailctl:", x.Damaged)
	return errProblems
}

type ruleAddCmd struct {
	holdRule
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
		c.Expires = known(time.Now().Add(c.For).UTC())
	}
	if a.dryRun {
		return a.ruleCount(1)
	}
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		err := a.holdRules(s).Put(a.ctx, c.rule())
		if errors.Is(err, holdrule.ErrRule) || errors.Is(err, queue.ErrEntry) {
			return &useError{err.Error()}
		}
		return err
	}, func(s *server) error { return s.Do(a.ctx, http.MethodPost, "/v1/queue/rules", c.holdRule, nil) })
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
