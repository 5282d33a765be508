package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/store/sqlite"
)

type queueCmd struct {
	List    queueListCmd    `cmd:"" help:"List jobs."`
	Show    queueShowCmd    `cmd:"" help:"Show one job."`
	Hold    queueHoldCmd    `cmd:"" help:"Hold jobs: they are not tried until they are released."`
	Release queueReleaseCmd `cmd:"" help:"Release held jobs."`
	Retry   queueRetryCmd   `cmd:"" help:"Try jobs now."`
	Reroute queueRerouteCmd `cmd:"" help:"Send jobs to the hosts of another domain than their recipients'."`
	Bounce  queueBounceCmd  `cmd:"" help:"Give jobs up, and tell their senders."`
	Drop    queueDropCmd    `cmd:"" help:"Forget jobs. Nobody is told."`
	Stats   queueStatsCmd   `cmd:"" help:"Count jobs."`
	Shape   queueShapeCmd   `cmd:"" help:"Count jobs by age and destination, sender or identity."`
	Pause   queuePauseCmd   `cmd:"" help:"Pause destinations: their jobs wait until the pause ends."`
	Resume  queueResumeCmd  `cmd:"" help:"End the pause of destinations."`
	Paused  queuePausedCmd  `cmd:"" help:"List the destinations that are paused."`

	Suppress queueSuppressCmd `cmd:"" help:"Addresses that get no mail: list, add and remove them."`
	Rule     queueRuleCmd     `cmd:"" help:"Rules that hold messages: list, add and remove them."`
	History  queueHistoryCmd  `cmd:"" help:"Show what became of messages, the newest first."`
}

// filter selects jobs.
type filter struct {
	IDs         []string `arg:"" optional:"" name:"id" help:"Ids of jobs."`
	Message     string   `help:"Id of the message." placeholder:"ID"`
	Destination string   `help:"Next hop." placeholder:"NAME"`
	Sender      string   `help:"Reverse-path." placeholder:"ADDRESS"`
	Recipient   string   `help:"A recipient." placeholder:"ADDRESS"`
	Identity    string   `help:"Who submitted it." placeholder:"NAME"`
	Held        *bool    `help:"Only held jobs (--held=false: only others)."`
}

func (f *filter) queue() queue.Filter {
	return queue.Filter{
		IDs: f.IDs, Message: f.Message, Destination: f.Destination, Sender: f.Sender, Recipient: f.Recipient, Identity: f.Identity, Held: f.Held,
	}
}

// any reports whether something in particular is selected.
func (f *filter) any() bool {
	return len(f.IDs) > 0 || f.Held != nil || f.Message+f.Destination+f.Sender+f.Recipient+f.Identity != ""
}

func jobLine(j *answer.Job) string {
	s := fmt.Sprintf("%s  %s  <%s>  to %s  %s  attempts %d", j.ID, size(j.Size), j.Sender, strings.Join(j.Recipients, ", "), j.Destination, j.Attempts)
	if j.Hold != "" {
		return s + "  held: " + j.Hold
	}
	s += "  due " + j.Due.Local().Format(time.DateTime)
	if j.Last != "" {
		s += "  last: " + j.Last
	}
	return s
}

// withQueue runs f on the queue of the data directory or, when a server owns
// it, remote.
func (a *app) withQueue(f func(*sqlqueue.Storage) error, remote func(*server) error) error {
	return a.withStore(false, func(e *sqlite.Engine) error {
		s, err := sqlqueue.New(a.ctx, e.DB(), sqlqueue.Options{Logger: a.log})
		if err != nil {
			return err
		}
		return f(s)
	}, remote)
}

// jobs reads what f selects, page by page from a server.
func (a *app) jobs(f *filter) (list []answer.Job, err error) {
	list = []answer.Job{}
	err = a.withQueue(func(s *sqlqueue.Storage) error {
		for j, err := range s.List(a.ctx, f.queue()) {
			if err != nil {
				return err
			}
			list = append(list, answer.JobOf(j))
		}
		return nil
	}, func(s *server) error {
		if len(f.IDs) == 0 {
			return f.pages(a.ctx, s, &list)
		}
		for _, id := range f.IDs {
			var j answer.Job
			if err := s.Do(a.ctx, http.MethodGet, "/v1/queue/jobs/"+url.PathEscape(id), nil, &j); err != nil {
				return err
			}
			list = append(list, j)
		}
		return nil
	})
	return list, err
}

// values are the filter in a request; ids have none.
func (f *filter) values() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{
		"message": f.Message, "destination": f.Destination, "sender": f.Sender, "recipient": f.Recipient, "identity": f.Identity,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if f.Held != nil {
		q.Set("held", fmt.Sprint(*f.Held))
	}
	return q
}

func (f *filter) pages(ctx context.Context, s *server, list *[]answer.Job) error {
	q := f.values()
	for {
		var page answer.Jobs
		if err := s.Do(ctx, http.MethodGet, "/v1/queue/jobs?"+q.Encode(), nil, &page); err != nil {
			return err
		}
		*list = append(*list, page.Jobs...)
		if page.Next == "" {
			return nil
		}
		q.Set("after", page.Next)
	}
}

type queueListCmd struct{ filter }

// Run lists jobs.
func (c *queueListCmd) Run(a *app) error {
	list, err := a.jobs(&c.filter)
	if err != nil {
		return err
	}
	var lines []string
	for i := range list {
		lines = append(lines, jobLine(&list[i]))
	}
	return a.result(answer.Jobs{Jobs: list}, lines...)
}

type queueShowCmd struct {
	ID string `arg:"" name:"id" help:"Id of the job."`
}

// Run shows a job.
func (c *queueShowCmd) Run(a *app) error {
	list, err := a.jobs(&filter{IDs: []string{c.ID}})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("there is no job %s", c.ID)
	}
	j := &list[0]
	return a.result(j, jobLine(j), fmt.Sprintf("message %s, accepted %s from %s %s", j.Message, j.Created.Local().Format(time.DateTime), j.Client, j.Identity))
}

// selection is a filter for what changes jobs: all of them must be said.
type selection struct {
	filter
	All bool `help:"All jobs."`
}

// request is the body of a change e.
func (s *selection) request(e queue.Edit) answer.Selection {
	in := answer.Selection{
		IDs: s.IDs, Message: s.Message, Destination: s.Destination, Sender: s.Sender, Recipient: s.Recipient,
		Identity: s.Identity, Held: s.Held, All: s.All,
	}
	switch {
	case e.Hold != nil && *e.Hold != "":
		in.Reason = *e.Hold
	case e.Bounce != nil:
		in.Reason = *e.Bounce
	case e.Destination != nil:
		in.To = strings.TrimPrefix(*e.Destination, deliver.Via)
	}
	return in
}

// edit changes the jobs, here with e, or by a request to the server.
func (a *app) edit(s *selection, path string, e queue.Edit) error {
	if s.any() == s.All {
		return &useError{"say which jobs, or --all"}
	}
	var x answer.Changed
	var err error
	if a.dryRun {
		var list []answer.Job
		list, err = a.jobs(&s.filter)
		x = answer.Changed{Jobs: len(list), DryRun: true}
	} else {
		err = a.withQueue(func(q *sqlqueue.Storage) (err error) {
			x.Jobs, err = q.Edit(a.ctx, s.queue(), e)
			return err
		}, func(srv *server) error {
			return srv.Do(a.ctx, http.MethodPost, path, s.request(e), &x)
		})
	}
	if err != nil {
		return err
	}
	return a.result(x, fmt.Sprintf("%d jobs", x.Jobs))
}

type queueHoldCmd struct {
	selection
	Reason string `help:"Kept with the jobs." default:"held by the operator"`
}

// Run holds jobs.
func (c *queueHoldCmd) Run(a *app) error {
	if c.Reason == "" {
		return &useError{"--reason is empty"}
	}
	return a.edit(&c.selection, "/v1/queue/hold", queue.Edit{Hold: &c.Reason})
}

type queueReleaseCmd struct{ selection }

// Run releases jobs.
func (c *queueReleaseCmd) Run(a *app) error {
	return a.edit(&c.selection, "/v1/queue/release", queue.Edit{Hold: new(string)})
}

type queueRetryCmd struct{ selection }

// Run makes jobs due now.
func (c *queueRetryCmd) Run(a *app) error {
	now := time.Now()
	return a.edit(&c.selection, "/v1/queue/retry", queue.Edit{Due: &now})
}

type queueDropCmd struct{ selection }

// Run forgets jobs.
func (c *queueDropCmd) Run(a *app) error {
	return a.edit(&c.selection, "/v1/queue/drop", queue.Edit{Drop: true})
}

type queueRerouteCmd struct {
	selection
	To string `help:"The domain to whose hosts they are sent; their recipients stay as they are." required:"" placeholder:"DOMAIN"`
}

// Run sends jobs another way.
func (c *queueRerouteCmd) Run(a *app) error {
	to, err := deliver.Reroute(c.To)
	if err != nil {
		return &useError{"--to: " + err.Error()}
	}
	return a.edit(&c.selection, "/v1/queue/reroute", queue.Edit{Destination: &to})
}

type queueBounceCmd struct {
	selection
	Reason string `help:"For the senders." default:"given up by the operator of this host"`
}

// Run gives jobs up.
func (c *queueBounceCmd) Run(a *app) error {
	if c.Reason == "" {
		return &useError{"--reason is empty"}
	}
	return a.edit(&c.selection, "/v1/queue/bounce", queue.Edit{Bounce: &c.Reason})
}
