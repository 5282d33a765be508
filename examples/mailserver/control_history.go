package main

import (
	"net/http"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/examples/internal/queuecontrol"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/store/control"
)

// maxHistory bounds an answer.
const maxHistory = 10_000

func (c *controls) queueHistory(r *http.Request) (any, error) {
	q := r.URL.Query()
	limit, err := queuecontrol.Number(q, "limit", 100, maxHistory)
	if err != nil {
		return nil, err
	}
	f := history.Filter{Message: q.Get("message"), Sender: q.Get("sender"), Recipient: q.Get("recipient"), Identity: q.Get("identity"), Limit: limit}
	for name, at := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := q.Get(name); text != "" {
			if *at, err = time.Parse(time.RFC3339, text); err != nil {
				return nil, control.BadRequest("%s is a time as in RFC 3339", name)
			}
		}
	}
	a := answer.History{Records: []answer.Finished{}}
	for rec, err := range c.s.history.Query(r.Context(), f) {
		if err != nil {
			return nil, err
		}
		a.Records = append(a.Records, answer.FinishedOf(rec))
	}
	if len(a.Records) == 0 && !c.s.outbound.Queue.History {
		return nil, control.BadRequest("no history is kept: [queue] history = true in %s begins one", outboundFileName)
	}
	return a, nil
}
