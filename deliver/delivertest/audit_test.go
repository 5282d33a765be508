package delivertest_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/queue"
)

// entry is what became of one message for one recipient.
type entry struct {
	told, untold int      // copies that hosts have; untold: without a reply that came
	plain        int      // of them, those without TLS
	where        []string // the hosts of those
	failed       []string // the Status of each DSN that says "failed"
	delayed      int      // DSNs that say so
	queued       int      // jobs
	unknown      int      // outcomes of attempts
	expired      int
	attempts     int
	lasted       time.Duration // from its acceptance to the final event
	final        int           // events that say that nothing more is to be done
}

// key is one message and one recipient.
type key struct{ message, rcpt string }

var (
	messageID = regexp.MustCompile(`(?m)^Message-ID: <(m[0-9]+)@sender\.test>\r$`)
	finalRcpt = regexp.MustCompile(`(?m)^Final-Recipient: rfc822; (\S+)\r\nAction: (\w+)\r\nStatus: ([0-9.]+)\r$`)
)

// books are the entries of all that was sent, from what hosts, DSNs, the queue
// and events say.
func (w *world) books() map[key]*entry {
	w.t.Helper()
	books := make(map[key]*entry)
	for _, m := range w.sent {
		for _, r := range m.to {
			books[key{m.id, r}] = &entry{}
		}
	}
	at := func(id, rcpt string) *entry {
		e := books[key{id, rcpt}]
		if e == nil {
			w.t.Errorf("%s to %s was never accepted", id, rcpt)
			e = &entry{}
			books[key{id, rcpt}] = e
		}
		return e
	}
	for _, h := range w.hosts {
		for _, m := range h.Taken() {
			w.enter(at, h, m)
		}
	}
	ids := make(map[string]string) // Job.Message → id
	w.enterEvents(at, ids)
	for _, j := range w.jobs() {
		if j.ReversePath.IsNull() {
			continue // a DSN
		}
		for i := range j.Recipients {
			at(w.idOf(ids, j), j.Recipients[i].ForwardPath.String()).queued++
		}
	}
	return books
}

// enter is a message that a host has: a DSN, or one that was sent.
func (w *world) enter(at func(id, rcpt string) *entry, h *delivertest.Host, m delivertest.Taken) {
	id := messageID.FindSubmatch(m.Data)
	if id == nil {
		w.t.Errorf("%s has a message that nobody sent: %.300q", h.Name, m.Data)
		return
	}
	if m.ReversePath.IsNull() {
		for _, f := range finalRcpt.FindAllSubmatch(m.Data, -1) {
			e := at(string(id[1]), string(f[1]))
			if string(f[2]) == "failed" {
				e.failed = append(e.failed, string(f[3]))
			} else {
				e.delayed++
			}
		}
		return
	}
	for _, r := range m.Recipients {
		e := at(string(id[1]), r.ForwardPath.String())
		e.where = append(e.where, h.Name)
		if !m.TLS {
			e.plain++
		}
		if m.Told {
			e.told++
		} else {
			e.untold++
		}
	}
}

// idOf is the id of a job's message.
func (w *world) idOf(ids map[string]string, j *queue.Job) string {
	if id, ok := ids[j.Message]; ok {
		return id
	}
	b, err := w.blobs.Open(w.t.Context(), j.Blob)
	if err != nil {
		w.t.Fatalf("the body of a job: %v", err)
	}
	defer b.Close()
	data := make([]byte, b.Size())
	if _, err := b.ReadAt(data, 0); err != nil {
		w.t.Fatal(err)
	}
	found := messageID.FindSubmatch(data)
	if found == nil {
		w.t.Fatalf("a job with a body that nobody sent: %q", data)
	}
	ids[j.Message] = string(found[1])
	return ids[j.Message]
}

func (w *world) enterEvents(at func(id, rcpt string) *entry, ids map[string]string) {
	w.mu.Lock()
	events := slices.Clone(w.events)
	w.mu.Unlock()
	for _, ev := range events {
		if ev.Job.ReversePath.IsNull() || ev.Recipient == nil {
			continue
		}
		e := at(w.idOf(ids, ev.Job), ev.Recipient.ForwardPath.String())
		e.attempts++
		if errors.Is(ev.Result.Err, queue.ErrOutcomeUnknown) {
			e.unknown++
		}
		if ev.Kind == queue.EventExpired {
			e.expired++
		}
		if ev.Final {
			e.final++
			e.lasted = ev.Time.Sub(ev.Job.Created)
		}
	}
}

// faults are what is wrong with an entry, whatever was to happen to it.
func (e *entry) faults() (list []string) {
	wrong := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	ends := 0
	if e.told+e.untold > 0 && e.final > 0 && len(e.failed) == 0 || e.told > 0 {
		ends++
	}
	if len(e.failed) > 0 {
		ends++
	}
	if e.queued > 0 {
		ends++
	}
	switch {
	case ends == 0:
		wrong("lost: neither delivered, nor reported, nor queued")
	case ends > 1 && e.unknown == 0:
		wrong("%d ends at a time", ends)
	}
	if len(e.failed) > 1 {
		wrong("%d DSNs of failure: %q", len(e.failed), e.failed)
	}
	if e.delayed > 1 {
		wrong("%d DSNs of delay", e.delayed)
	}
	if e.queued > 1 {
		wrong("in %d jobs", e.queued)
	}
	if copies := e.told + e.untold; copies > 1+e.unknown {
		wrong("%d copies, and only %d outcomes were unknown", copies, e.unknown)
	}
	if e.untold > e.unknown {
		wrong("%d copies of which nobody was told, but %d unknown outcomes", e.untold, e.unknown)
	}
	if e.final > 1 {
		wrong("%d final events", e.final)
	}
	return list
}

// String is an entry in short.
func (e *entry) String() string {
	return fmt.Sprintf("told %d untold %d at %s, failed %q, delayed %d, queued %d, unknown %d, expired %d, attempts %d",
		e.told, e.untold, strings.Join(e.where, ","), e.failed, e.delayed, e.queued, e.unknown, e.expired, e.attempts)
}

// maxConnections is what no host sees more of at a time.
const maxConnections = 20

// audit fails the test for each promise that was broken, and returns the books.
func (w *world) audit() map[key]*entry {
	w.t.Helper()
	books := w.books()
	for k, e := range books {
		for _, f := range e.faults() {
			w.t.Errorf("%s to %s: %s (%s)", k.message, k.rcpt, f, e)
		}
	}
	for _, h := range w.hosts {
		if n := h.Peak(); n > maxConnections {
			w.t.Errorf("%s had %d connections at a time, want at most %d", h.Name, n, maxConnections)
		}
	}
	return books
}
