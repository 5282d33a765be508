package suppress

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Router is next, but for recipients that are suppressed: they fail, and next is
// not asked for them. What is no mail on its way (queue.Job.Kind) passes.
func (l *List) Router(next queue.Router) queue.Router { return &router{next, l} }

type router struct {
	queue.Router
	list *List
}

// Route implements queue.Router.
func (r *router) Route(ctx context.Context, j *queue.Job) ([]queue.Hop, error) {
	if j.Kind != "" {
		return r.Router.Route(ctx, j)
	}
	paths := make([]smtp.Path, len(j.Recipients))
	for i := range paths {
		paths[i] = j.Recipients[i].ForwardPath.Path
	}
	found, err := r.list.Lookup(ctx, paths...)
	if err != nil {
		return nil, fmt.Errorf("suppress: %w", err)
	}
	if found == nil {
		return r.Router.Route(ctx, j)
	}
	var hops []queue.Hop
	var places []int // of those who are left, in j
	rest := *j
	rest.Recipients = nil
	for i, e := range found {
		if e != nil {
			hops = append(hops, queue.Hop{Recipients: []int{i}, Err: refusal(e)})
			continue
		}
		places = append(places, i)
		rest.Recipients = append(rest.Recipients, j.Recipients[i])
	}
	if len(places) == 0 {
		return hops, nil
	}
	others, err := r.Router.Route(ctx, &rest)
	if err != nil {
		return nil, err
	}
	for _, h := range others {
		was := h.Recipients
		h.Recipients = make([]int, len(was))
		for k, i := range was {
			h.Recipients[k] = places[i]
		}
		hops = append(hops, h)
	}
	return hops, nil
}

// refusal is what a suppressed recipient fails with.
func refusal(e *Entry) error {
	reason := e.Reason
	if reason == "" {
		reason = "by the operator of this host"
	}
	return smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "Recipient is suppressed: %s", reason)
}
