package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/queuecontrol"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/store/control"
)

func (c *controls) listSuppressed(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, limit, err := queuecontrol.Page(q)
	if err != nil {
		return nil, err
	}
	a := answer.Suppressions{Addresses: []answer.Suppression{}}
	for e, err := range c.s.suppressed.All(r.Context(), suppress.Filter{Prefix: q.Get("prefix"), After: after, Limit: limit + 1}) {
		if err != nil {
			return nil, err
		}
		if len(a.Addresses) == limit {
			a.Next = a.Addresses[limit-1].Address
			break
		}
		a.Addresses = append(a.Addresses, answer.SuppressionOf(e))
	}
	return a, nil
}

func (c *controls) suppress(r *http.Request) (any, error) {
	var in struct {
		Address string     `json:"address"`
		Reason  string     `json:"reason"`
		Expires *time.Time `json:"expires"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	e := suppress.Entry{Address: in.Address, Reason: in.Reason}
	if in.Expires != nil {
		e.Expires = *in.Expires
	}
	if err := c.s.suppressed.Add(r.Context(), e); err != nil {
		return nil, suppressError(err)
	}
	c.s.log.Info("control", "request", r.URL.Path, "address", in.Address)
	return struct{}{}, nil
}

func (c *controls) unsuppress(r *http.Request) (any, error) {
	var in struct {
		Address string `json:"address"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	if err := c.s.suppressed.Remove(r.Context(), in.Address); err != nil {
		return nil, suppressError(err)
	}
	c.s.log.Info("control", "request", r.URL.Path, "address", in.Address)
	return struct{}{}, nil
}

// suppressError tells the operator what is wrong with an address.
func suppressError(err error) error {
	if errors.Is(err, suppress.ErrAddress) || errors.Is(err, queue.ErrEntry) {
		return control.BadRequest("an address is local@domain, or @domain for all of it")
	}
	return err
}
