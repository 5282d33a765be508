package main

import (
	"errors"
	"net/http"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/store/control"
)

func (c *controls) listRules(r *http.Request) (any, error) {
	rules, err := c.s.rules.List(r.Context())
	a := answer.HoldRules{Rules: []answer.HoldRule{}}
	switch {
	case errors.Is(err, holdrule.ErrRule):
		a.Damaged = err.Error()
	case err != nil:
		return nil, err
	}
	for i := range rules {
		a.Rules = append(a.Rules, answer.HoldRuleOf(&rules[i]))
	}
	return a, nil
}

func (c *controls) putRule(r *http.Request) (any, error) {
	var in answer.HoldRule
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	if err := c.s.rules.Put(r.Context(), in.Rule()); err != nil {
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
