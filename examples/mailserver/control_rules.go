package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/store/control"
)

// holdRule is a holdrule.Rule.
type holdRule struct {
	Name          string     `json:"name"`
	Reason        string     `json:"reason,omitempty"`
	Sender        string     `json:"sender,omitempty"`
	Recipient     string     `json:"recipient,omitempty"`
	Destination   string     `json:"destination,omitempty"`
	Identity      string     `json:"identity,omitempty"`
	MinOctets     int64      `json:"min_octets,omitempty"`
	MinRecipients int        `json:"min_recipients,omitempty"`
	All           bool       `json:"all,omitempty"`
	Expires       *time.Time `json:"expires,omitempty"`
}

type holdRules struct {
	Rules   []holdRule `json:"rules"`
	Damaged string     `json:"damaged,omitempty"` // what cannot be read; removing its name takes it away
}

func (c *controls) listRules(r *http.Request) (any, error) {
	rules, err := c.s.rules.List(r.Context())
	a := holdRules{Rules: []holdRule{}}
	switch {
	case errors.Is(err, holdrule.ErrRule):
		a.Damaged = err.Error()
	case err != nil:
		return nil, err
	}
	for _, x := range rules {
		a.Rules = append(a.Rules, holdRule{
			Name: x.Name, Reason: x.Reason, Sender: x.Sender, Recipient: x.Recipient, Destination: x.Destination, Identity: x.Identity,
			MinOctets: x.MinOctets, MinRecipients: x.MinRecipients, All: x.All, Expires: known(x.Expires),
		})
	}
	return a, nil
}

func (c *controls) putRule(r *http.Request) (any, error) {
	var in holdRule
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	rule := holdrule.Rule{
		Name: in.Name, Reason: in.Reason, Sender: in.Sender, Recipient: in.Recipient, Destination: in.Destination, Identity: in.Identity,
		MinOctets: in.MinOctets, MinRecipients: in.MinRecipients, All: in.All,
	}
	if in.Expires != nil {
		rule.Expires = *in.Expires
	}
	if err := c.s.rules.Put(r.Context(), rule); err != nil {
		return nil, ruleError(err)
	}
	c.s.log.Info("control", "request", r.URL.Path, "rule", in.Name)
	return struct{}{}, nil
}

func (c *controls) deleteRule(r *http.Request) (any, error) {
	name := r.PathValue("name")
	if err := c.s.rules.Remove(r.Context(), name); err != nil {
		return nil, ruleError(err)
	}
	c.s.log.Info("control", "request", r.URL.Path, "rule", name)
	return struct{}{}, nil
}

// ruleError tells the operator what is wrong with a rule.
func ruleError(err error) error {
	for _, e := range [...]error{holdrule.ErrRule, holdrule.ErrMany, queue.ErrEntry} {
		if errors.Is(err, e) {
			return control.BadRequest("%s", err.Error())
		}
	}
	return err
}
