package webhook

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Payload is what is posted.
type Payload struct {
	Type      string    `json:"type"` // "queue.events"
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is that of a Payload.
type Data struct {
	Events []Event `json:"events"`
}

// Event is one queue.Event as it is told.
type Event struct {
	Kind        string    `json:"kind"`    // as queue.EventKind.String
	Message     string    `json:"message"` // the id under which the message was accepted
	Job         string    `json:"job"`
	Destination string    `json:"destination"`
	Sender      string    `json:"sender"` // "" is the null reverse-path
	Recipients  []string  `json:"recipients"`
	EnvelopeID  string    `json:"envid,omitempty"` // ENVID (RFC 3461 §4.4)
	Identity    string    `json:"identity,omitempty"`
	Reply       string    `json:"reply,omitempty"` // what the next hop said, or this host
	NextHop     string    `json:"next_hop,omitempty"`
	Hold        string    `json:"hold,omitempty"` // why it is held
	Size        int64     `json:"size"`           // octets, as far as they are known
	Attempts    int       `json:"attempts"`
	Final       bool      `json:"final"` // nothing follows for these recipients
	Time        time.Time `json:"time"`
}

// maxText bounds texts that others wrote.
const maxText = 512

// payload is the JSON of events.
func (e *Endpoint) payload(events []*queue.Event, now time.Time) []byte {
	p := Payload{Type: "queue.events", Timestamp: now.UTC(), Data: Data{Events: make([]Event, len(events))}}
	for i, ev := range events {
		p.Data.Events[i] = e.event(ev)
	}
	text, err := json.Marshal(&p)
	if err != nil { // of years beyond 9999 only
		text = []byte(`{"type":"queue.events","data":{"events":[]}}`)
	}
	return text
}

func (e *Endpoint) event(ev *queue.Event) Event {
	j := ev.Job
	out := Event{
		Kind: ev.Kind.String(), Message: j.Message, Job: j.ID, Destination: j.Destination, Sender: e.address(j.ReversePath.Path),
		EnvelopeID: text(j.Params.EnvelopeID), Identity: j.Identity, Reply: text(ev.Result.Reply.String()), NextHop: text(ev.Result.NextHop),
		Hold: text(j.Hold), Size: j.Size + int64(len(j.Prefix)), Attempts: j.Attempts, Final: ev.Final, Time: ev.Time.UTC(),
	}
	if e.DomainsOnly {
		out.withoutNames(ev)
	}
	if ev.Result.Reply.IsZero() {
		out.Reply = ""
	}
	rcpts := j.Recipients
	if ev.Recipient != nil {
		rcpts = []queue.Recipient{*ev.Recipient}
	}
	for i := range rcpts {
		out.Recipients = append(out.Recipients, e.address(rcpts[i].ForwardPath.Path))
	}
	return out
}

// withoutNames takes out what may have an address in it: of a reply the codes stay,
// of a destination what is in front of an account.
func (out *Event) withoutNames(ev *queue.Event) {
	out.Identity = ""
	out.Destination, _, _ = strings.Cut(out.Destination, "/")
	out.Reply = smtp.Reply{Code: ev.Result.Reply.Code, Enhanced: ev.Result.Reply.Enhanced}.String()
	if out.Hold != "" {
		out.Hold = queue.EventHeld.String()
	}
}

func (e *Endpoint) address(p smtp.Path) string {
	if e.DomainsOnly {
		return p.Domain
	}
	return p.String()
}

// text is what others wrote, bounded.
func text(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
