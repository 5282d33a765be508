package main

import (
	"net/http"
	"time"

	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/store/control"
)

// finished is an attempt that finished recipients.
type finished struct {
	Message     string              `json:"message"`
	Job         string              `json:"job"`
	Sender      string              `json:"sender"` // "" = the null sender
	Identity    string              `json:"identity,omitempty"`
	Destination string              `json:"destination"`
	Accepted    time.Time           `json:"accepted"`
	Finished    time.Time           `json:"finished"`
	Attempts    int                 `json:"attempts"`
	Size        int64               `json:"size"`
	Recipients  []finishedRecipient `json:"recipients"`
}

type finishedRecipient struct {
	Address string `json:"address"`
	State   string `json:"state"` // delivered, failed, expired
	Reply   string `json:"reply,omitempty"`
	NextHop string `json:"next_hop,omitempty"`
}

func finishedOf(r *history.Record) finished {
	f := finished{
		Message: r.Message, Job: r.Job, Sender: r.Sender, Identity: r.Identity, Destination: r.Destination,
		Accepted: r.Accepted.UTC(), Finished: r.Finished.UTC(), Attempts: r.Attempts, Size: r.Octets,
	}
	for _, p := range r.Recipients {
		f.Recipients = append(f.Recipients, finishedRecipient{p.Address, p.State, p.Reply, p.NextHop})
	}
	return f
}

type historyAnswer struct {
	Records []finished `json:"records"` // the newest first
}

// maxHistory bounds an answer.
const maxHistory = 10_000

func (c *controls) queueHistory(r *http.Request) (any, error) {
	q := r.URL.Query()
	limit, err := number(q, "limit", 100, maxHistory)
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
	a := historyAnswer{Records: []finished{}}
	for rec, err := range c.s.history.Query(r.Context(), f) {
		if err != nil {
			return nil, err
		}
		a.Records = append(a.Records, finishedOf(rec))
	}
	if len(a.Records) == 0 && !c.s.outbound.Queue.History {
		return nil, control.BadRequest("no history is kept: [queue] history = true in %s begins one", outboundFileName)
	}
	return a, nil
}
