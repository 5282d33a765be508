package queuecontrol

import (
	"context"
	"net/http"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/store/control"
)

func (q *Queue) rerouteJobs(r *http.Request) (any, error) {
	if q.OneWay {
		return nil, control.BadRequest("all mail leaves by the smart host of -relay")
	}
	return q.edit(r, func(in answer.Selection) (queue.Edit, error) {
		to, err := deliver.Reroute(in.To)
		if err != nil {
			return queue.Edit{}, control.BadRequest("to is the domain to whose hosts the jobs are sent")
		}
		return queue.Edit{Destination: &to}, nil
	})
}

func (q *Queue) bounceJobs(r *http.Request) (any, error) {
	return q.edit(r, func(in answer.Selection) (queue.Edit, error) {
		if in.Reason == "" {
			in.Reason = "given up by the operator of this host"
		}
		return queue.Edit{Bounce: &in.Reason}, nil
	})
}

// maxShape bounds the rows of an answer.
const maxShape = 1000

func (q *Queue) queueShape(r *http.Request) (any, error) {
	v := r.URL.Query()
	f, err := filterOf(v)
	if err != nil {
		return nil, err
	}
	f.IDs = v["id"]
	by, ok := answer.ShapeBy(v.Get("by"))
	if !ok {
		return nil, control.BadRequest("by is destination, sender or identity")
	}
	top, err := Number(v, "top", 20, maxShape)
	if err != nil {
		return nil, err
	}
	rows, err := queue.Shape(r.Context(), q.Storage, f, by, time.Now(), top)
	if err != nil {
		return nil, err
	}
	return answer.ShapeOf(rows), nil
}

func (q *Queue) listPaused(r *http.Request) (any, error) {
	list, err := q.Runner.Paused(r.Context())
	if list == nil {
		list = []string{}
	}
	return answer.Paused{Destinations: list}, err
}

func (q *Queue) pauseDestination(r *http.Request) (any, error) {
	return q.setPaused(r, q.Runner.Pause)
}

func (q *Queue) resumeDestination(r *http.Request) (any, error) {
	return q.setPaused(r, q.Runner.Resume)
}

func (q *Queue) setPaused(r *http.Request, set func(context.Context, string) error) (any, error) {
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
	q.Logger.Info("control", "request", r.URL.Path, "destination", in.Destination)
	return struct{}{}, nil
}
