package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/store/control"
)

func (c *controls) rerouteJobs(r *http.Request) (any, error) {
	if c.s.o.relay != "" {
		return nil, control.BadRequest("all mail leaves by the smart host of -relay")
	}
	return c.edit(r, func(in answer.Selection) (queue.Edit, error) {
		to, err := deliver.Reroute(in.To)
		if err != nil {
			return queue.Edit{}, control.BadRequest("to is the domain to whose hosts the jobs are sent")
		}
		return queue.Edit{Destination: &to}, nil
	})
}

func (c *controls) bounceJobs(r *http.Request) (any, error) {
	return c.edit(r, func(in answer.Selection) (queue.Edit, error) {
		if in.Reason == "" {
			in.Reason = "given up by the operator of this host"
		}
		return queue.Edit{Bounce: &in.Reason}, nil
	})
}

// maxShape bounds the rows of an answer.
const maxShape = 1000

func (c *controls) queueShape(r *http.Request) (any, error) {
	q := r.URL.Query()
	f, err := filterOf(q)
	if err != nil {
		return nil, err
	}
	f.IDs = q["id"]
	by, ok := answer.ShapeBy(q.Get("by"))
	if !ok {
		return nil, control.BadRequest("by is destination, sender or identity")
	}
	top, err := number(q, "top", 20, maxShape)
	if err != nil {
		return nil, err
	}
	rows, err := queue.Shape(r.Context(), c.s.engine.queue, f, by, time.Now(), top)
	if err != nil {
		return nil, err
	}
	return answer.ShapeOf(rows), nil
}

// number is a value from 1 to most; def where it is missing.
func number(q url.Values, name string, def, most int) (int, error) {
	text := q.Get(name)
	if text == "" {
		return def, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, control.BadRequest("%s is a number from 1 to %d", name, most)
	}
	return n, nil
}

func (c *controls) listPaused(r *http.Request) (any, error) {
	list, err := c.s.runner.Paused(r.Context())
	if list == nil {
		list = []string{}
	}
	return answer.Paused{Destinations: list}, err
}

func (c *controls) pauseDestination(r *http.Request) (any, error) {
	return c.setPaused(r, c.s.runner.Pause)
}

func (c *controls) resumeDestination(r *http.Request) (any, error) {
	return c.setPaused(r, c.s.runner.Resume)
}

func (c *controls) setPaused(r *http.Request, set func(context.Context, string) error) (any, error) {
	var in struct {
		Destination string `json:"destination"`
	}
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Destination == "" || len(in.Destination) > queue.MaxEntryKey {
		return nil, control.BadRequest("destination is a next hop of at most %d octets", queue.MaxEntryKey)
	}
	if err := set(r.Context(), in.Destination); err != nil {
		return nil, err
	}
	c.s.log.Info("control", "request", r.URL.Path, "destination", in.Destination)
	return struct{}{}, nil
}

func (c *controls) listSuppressed(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, limit, err := page(q)
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
