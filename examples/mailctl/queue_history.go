package main

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/sqlqueue"
)

type queueHistoryCmd struct {
	Message   string `help:"Id of the message." placeholder:"ID"`
	Sender    string `help:"Reverse-path; <> = the null sender." placeholder:"ADDRESS"`
	Recipient string `help:"A recipient." placeholder:"ADDRESS"`
	Identity  string `help:"Who submitted it." placeholder:"NAME"`
	Since     string `help:"Finished then or later: 2026-03-01, 2026-03-01T10:00:00Z, or 48h = that long ago." placeholder:"TIME"`
	Until     string `help:"Finished before, likewise." placeholder:"TIME"`
	Limit     int    `help:"At most so many, the newest; 1 to 10000." default:"100"`
}

// lines are one for each recipient.
func finishedLines(f *answer.Finished) (lines []string) {
	for _, p := range f.Recipients {
		lines = append(lines, fmt.Sprintf("%s  %s  <%s>  %s  to %s  attempts %d  after %s  %s %s", f.Finished.Local().Format(time.DateTime), f.Message,
			f.Sender, p.State, p.Address, f.Attempts, f.Finished.Sub(f.Accepted).Round(time.Millisecond), p.NextHop, p.Reply))
	}
	return lines
}

// timeOf reads a date, a time, or how long ago.
func timeOf(flag, text string) (t time.Time, err error) {
	if text == "" {
		return t, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return time.Now().Add(-d), nil
	}
	if t, err = time.ParseInLocation(time.DateOnly, text, time.Local); err != nil {
		t, err = time.Parse(time.RFC3339, text)
	}
	if err != nil {
		return t, &useError{flag + " is a date, a time as 2026-03-01T10:00:00Z, or how long ago"}
	}
	return t, nil
}

func (c *queueHistoryCmd) filter() (f history.Filter, err error) {
	if c.Limit < 1 || c.Limit > 10_000 {
		return f, &useError{"--limit is 1 to 10000"}
	}
	f = history.Filter{Message: c.Message, Sender: c.Sender, Recipient: c.Recipient, Identity: c.Identity, Limit: c.Limit}
	if f.Since, err = timeOf("--since", c.Since); err != nil {
		return f, err
	}
	f.Until, err = timeOf("--until", c.Until)
	return f, err
}

// Run says what became of messages.
func (c *queueHistoryCmd) Run(a *app) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	x := answer.History{Records: []answer.Finished{}}
	err = a.withQueue(func(s *sqlqueue.Storage) error {
		for r, err := range (&history.History{Storage: s, Logger: a.log}).Query(a.ctx, f) {
			if err != nil {
				return err
			}
			x.Records = append(x.Records, answer.FinishedOf(r))
		}
		return nil
	}, func(s *server) error {
		return s.Do(a.ctx, http.MethodGet, "/v1/queue/history?"+historyValues(&f).Encode(), nil, &x)
	})
	if err != nil {
		return err
	}
	var lines []string
	for i := range x.Records {
		lines = append(lines, finishedLines(&x.Records[i])...)
	}
	return a.result(x, lines...)
}

func historyValues(f *history.Filter) url.Values {
	q := url.Values{"limit": {fmt.Sprint(f.Limit)}}
	for name, value := range map[string]string{"message": f.Message, "sender": f.Sender, "recipient": f.Recipient, "identity": f.Identity} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, t := range map[string]time.Time{"since": f.Since, "until": f.Until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}
