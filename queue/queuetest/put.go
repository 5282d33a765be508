package queuetest

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func putCases() []kase {
	return []kase{
		{name: "Put/keeps every field", do: putFields},
		{name: "Put/keeps its own copy", do: putCopies},
		{name: "Put/ErrExists adds none", do: putExists},
		{name: "Put/the same ID twice adds none", do: putTwice},
		{name: "Put/Once of a job that is there", do: putOnce},
		{name: "Put/Once of a job that is finished", do: putOnceFinished},
		{name: "Put/Once twice in one call", do: putOnceTwice},
		{name: "Put/cancelled adds none", do: putCancelled},
	}
}

func putFields(c *check) {
	full, empty := c.full("b", "example.net"), queue.Job{ID: "a"}
	held := c.full("c", "example.net")
	held.Hold = "reviewed by hand"
	c.put(full, empty, held)
	jobs := c.list(queue.Filter{})
	if len(jobs) != 3 {
		c.Fatalf("%d jobs, want 3", len(jobs))
	}
	c.sameJob("only an ID", jobs[0], &empty)
	c.sameJob("every field", jobs[1], &full)
	c.sameJob("held", jobs[2], &held)
	c.sameJob("leased", c.leaseOne("example.net").Job, &full)
}

func putCopies(c *check) {
	j := c.full("a", "d")
	c.put(j)
	spoil(&j)
	want := c.full("a", "d")
	listed := c.get("a")
	c.sameJob("after the caller changed its job", listed, &want)
	spoil(listed)
	l := c.leaseOne("d")
	c.sameJob("after the caller changed a listed job", l.Job, &want)
	spoil(l.Job)
	c.sameJob("after the caller changed a leased job", c.get("a"), &want)
}

func spoil(j *queue.Job) {
	j.Recipients[0].ForwardPath.Local = "mallory"
	j.Recipients[0].Params.Unknown[0] = smtp.Param{}
	j.Params.Unknown[0] = smtp.Param{}
	j.Prefix[0], j.Key[0] = '?', '?'
	j.Attempts++
}

func putExists(c *check) {
	c.put(c.job("b", "d"))
	err := c.s.Put(c.ctx, c.job("a", "d"), c.job("b", "e"), c.job("c", "d"))
	if !errors.Is(err, queue.ErrExists) {
		c.Errorf("got %v, want ErrExists", err)
	}
	c.wantAll("jobs", "b")
	if d := c.get("b").Destination; d != "d" {
		c.Errorf("the job there was changed: destination %q", d)
	}
}

func putTwice(c *check) {
	if err := c.s.Put(c.ctx, c.job("a", "d"), c.job("b", "d"), c.job("a", "d")); !errors.Is(err, queue.ErrExists) {
		c.Errorf("got %v, want ErrExists", err)
	}
	c.wantAll("jobs")
}

func (c *check) once(id, key string) queue.Job {
	j := c.job(id, "d")
	j.Once = key
	return j
}

func putOnce(c *check) {
	c.put(c.once("a", "k"))
	c.put(c.once("b", "k"), c.once("c", "l"), c.job("d", "d"))
	c.wantAll("jobs", "a", "c", "d")
}

func putOnceFinished(c *check) {
	c.put(c.once("a", "k"))
	c.settle(queue.Outcome{Token: c.leaseOne("d").Token, Attempted: true})
	c.put(c.once("b", "k"))
	c.wantAll("jobs after the one with this key finished")
}

func putOnceTwice(c *check) {
	c.put(c.once("a", "k"), c.once("b", "k"))
	c.wantAll("jobs", "a")
}

func putCancelled(c *check) {
	ctx, cancel := context.WithCancel(c.ctx)
	cancel()
	if err := c.s.Put(ctx, c.job("a", "d")); !errors.Is(err, context.Canceled) {
		c.Errorf("got %v, want context.Canceled", err)
	}
	c.wantAll("jobs")
}
