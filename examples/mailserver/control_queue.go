package main

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/control"
)

// queueStats counts jobs.
type queueStats struct {
	Jobs         int64      `json:"jobs"`
	Held         int64      `json:"held"`
	Leased       int64      `json:"leased"` // attempts under way
	Destinations int64      `json:"destinations"`
	Oldest       *time.Time `json:"oldest,omitempty"`
}

func (c *controls) queueStats(r *http.Request) (any, error) { return c.stats(r.Context()) }

// jobAnswer is one job of the queue.
type jobAnswer struct {
	ID          string     `json:"id"`
	Message     string     `json:"message"`
	Destination string     `json:"destination"`
	Sender      string     `json:"sender"` // "" = the null sender
	Recipients  []string   `json:"recipients"`
	Identity    string     `json:"identity,omitempty"`
	Client      string     `json:"client,omitempty"`
	Size        int64      `json:"size"`
	Created     time.Time  `json:"created"`
	Due         time.Time  `json:"due"`
	Expires     *time.Time `json:"expires,omitempty"`
	Attempts    int        `json:"attempts"`
	Priority    int        `json:"priority"`
	Hold        string     `json:"hold,omitempty"` // why it is held
	Last        string     `json:"last,omitempty"` // what the latest attempt met
}

func jobOf(j *queue.Job) jobAnswer {
	a := jobAnswer{
		ID: j.ID, Message: j.Message, Destination: j.Destination, Sender: j.ReversePath.String(), Identity: j.Identity,
		Client: j.Peer.Addr, Size: j.Size + int64(len(j.Prefix)), Created: j.Created.UTC(), Due: j.Due.UTC(), Expires: known(j.Expires),
		Attempts: j.Attempts, Priority: j.Priority, Hold: j.Hold, Last: j.Last, Recipients: []string{},
	}
	for i := range j.Recipients {
		a.Recipients = append(a.Recipients, j.Recipients[i].ForwardPath.String())
	}
	return a
}

// jobList is a page of jobs.
type jobList struct {
	Jobs []jobAnswer `json:"jobs"`
	Next string      `json:"next,omitempty"` // the after of the next page
}

// filterOf reads which jobs are meant.
func filterOf(q url.Values) (queue.Filter, error) {
	f := queue.Filter{
		Message: q.Get("message"), Destination: q.Get("destination"), Sender: q.Get("sender"),
		Recipient: q.Get("recipient"), Identity: q.Get("identity"),
	}
	if s := q.Get("held"); s != "" {
		held, err := strconv.ParseBool(s)
		if err != nil {
			return f, control.BadRequest("held is true or false")
		}
		f.Held = &held
	}
	return f, nil
}

func (c *controls) listJobs(r *http.Request) (any, error) {
	q := r.URL.Query()
	after, limit, err := page(q)
	if err != nil {
		return nil, err
	}
	f, err := filterOf(q)
	if err != nil {
		return nil, err
	}
	f.After, f.Limit = after, limit+1
	a := jobList{Jobs: []jobAnswer{}}
	for j, err := range c.s.engine.queue.List(r.Context(), f) {
		if err != nil {
			return nil, err
		}
		if len(a.Jobs) == limit {
			a.Next = a.Jobs[limit-1].ID
			break
		}
		a.Jobs = append(a.Jobs, jobOf(j))
	}
	return a, nil
}

func (c *controls) showJob(r *http.Request) (any, error) {
	id := r.PathValue("id")
	for j, err := range c.s.engine.queue.List(r.Context(), queue.Filter{IDs: []string{id}}) {
		if err != nil {
			return nil, err
		}
		return jobOf(j), nil
	}
	return nil, &control.Error{Status: http.StatusNotFound, Code: control.CodeNotFound, Message: "there is no job " + id}
}

// selection says which jobs a change is for. Selecting nothing in particular
// needs All, so that a forgotten member does not drop the queue.
type selection struct {
	IDs         []string `json:"ids"`
	Message     string   `json:"message"`
	Destination string   `json:"destination"`
	Sender      string   `json:"sender"`
	Recipient   string   `json:"recipient"`
	Identity    string   `json:"identity"`
	Held        *bool    `json:"held"`
	All         bool     `json:"all"`
	Reason      string   `json:"reason"` // of hold and bounce
	To          string   `json:"to"`     // of reroute
}

// edit changes the selected jobs, and counts them.
func (c *controls) edit(r *http.Request, change func(selection) (queue.Edit, error)) (any, error) {
	var in selection
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	f := queue.Filter{
		IDs: in.IDs, Message: in.Message, Destination: in.Destination, Sender: in.Sender,
		Recipient: in.Recipient, Identity: in.Identity, Held: in.Held,
	}
	some := len(in.IDs) > 0 || in.Held != nil ||
		in.Message+in.Destination+in.Sender+in.Recipient+in.Identity != ""
	if some == in.All {
		return nil, control.BadRequest("say which jobs, or all: true for every one")
	}
	e, err := change(in)
	if err != nil {
		return nil, err
	}
	n, err := c.s.engine.queue.Edit(r.Context(), f, e)
	if err == nil {
		c.s.runner.Kick()
		c.s.log.Info("control", "request", r.URL.Path, "jobs", n)
	}
	return struct {
		Jobs int `json:"jobs"`
	}{n}, err
}

func (c *controls) holdJobs(r *http.Request) (any, error) {
	return c.edit(r, func(in selection) (queue.Edit, error) {
		if in.Reason == "" {
			in.Reason = "held by the operator"
		}
		return queue.Edit{Hold: &in.Reason}, nil
	})
}

func (c *controls) releaseJobs(r *http.Request) (any, error) {
	return c.edit(r, func(selection) (queue.Edit, error) { return queue.Edit{Hold: new("")}, nil })
}

func (c *controls) retryJobs(r *http.Request) (any, error) {
	return c.edit(r, func(selection) (queue.Edit, error) { return queue.Edit{Due: new(time.Now())}, nil })
}

func (c *controls) dropJobs(r *http.Request) (any, error) {
	return c.edit(r, func(selection) (queue.Edit, error) { return queue.Edit{Drop: true}, nil })
}
