package queuecontrol

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/control"
)

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

func (q *Queue) listJobs(r *http.Request) (any, error) {
	v := r.URL.Query()
	after, limit, err := Page(v)
	if err != nil {
		return nil, err
	}
	f, err := filterOf(v)
	if err != nil {
		return nil, err
	}
	f.After, f.Limit = after, limit+1
	a := answer.Jobs{Jobs: []answer.Job{}}
	for j, err := range q.Storage.List(r.Context(), f) {
		if err != nil {
			return nil, err
		}
		if len(a.Jobs) == limit {
			a.Next = a.Jobs[limit-1].ID
			break
		}
		a.Jobs = append(a.Jobs, answer.JobOf(j))
	}
	return a, nil
}

func (q *Queue) showJob(r *http.Request) (any, error) {
	id := r.PathValue("id")
	for j, err := range q.Storage.List(r.Context(), queue.Filter{IDs: []string{id}}) {
		if err != nil {
			return nil, err
		}
		return answer.JobOf(j), nil
	}
	return nil, &control.Error{Status: http.StatusNotFound, Code: control.CodeNotFound, Message: "there is no job " + id}
}

// edit changes the selected jobs, and counts them.
func (q *Queue) edit(r *http.Request, change func(answer.Selection) (queue.Edit, error)) (any, error) {
	var in answer.Selection
	if err := control.Decode(r, &in); err != nil {
		return nil, err
	}
	if in.Any() == in.All {
		return nil, control.BadRequest("say which jobs, or all: true for every one")
	}
	e, err := change(in)
	if err != nil {
		return nil, err
	}
	n, err := q.Storage.Edit(r.Context(), in.Filter(), e)
	if err == nil {
		q.Runner.Kick()
		q.Logger.Info("control", "request", r.URL.Path, "jobs", n)
	}
	return answer.Changed{Jobs: n}, err
}

func (q *Queue) holdJobs(r *http.Request) (any, error) {
	return q.edit(r, func(in answer.Selection) (queue.Edit, error) {
		if in.Reason == "" {
			in.Reason = "held by the operator"
		}
		return queue.Edit{Hold: &in.Reason}, nil
	})
}

func (q *Queue) releaseJobs(r *http.Request) (any, error) {
	return q.edit(r, func(answer.Selection) (queue.Edit, error) { return queue.Edit{Hold: new("")}, nil })
}

func (q *Queue) retryJobs(r *http.Request) (any, error) {
	return q.edit(r, func(answer.Selection) (queue.Edit, error) { return queue.Edit{Due: new(time.Now())}, nil })
}

func (q *Queue) dropJobs(r *http.Request) (any, error) {
	return q.edit(r, func(answer.Selection) (queue.Edit, error) { return queue.Edit{Drop: true}, nil })
}
