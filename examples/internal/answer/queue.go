package answer

import (
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/suppress"
)

// QueueStats counts jobs.
type QueueStats struct {
	Jobs         int64      `json:"jobs"`
	Held         int64      `json:"held"`
	Leased       int64      `json:"leased"` // attempts under way
	Destinations int64      `json:"destinations"`
	Oldest       *time.Time `json:"oldest,omitempty"`
}

// QueueStatsOf are the counters of a queue.
func QueueStatsOf(st queue.Stats) QueueStats {
	return QueueStats{Jobs: st.Jobs, Held: st.Held, Leased: st.Leased, Destinations: st.Destinations, Oldest: Known(st.Oldest)}
}

// Job is one job of the queue.
type Job struct {
	ID          string     `json:"id"`
	Message     string     `json:"message"`
	Destination string     `json:"destination"`
	Sender      string     `json:"sender"` // "" = the null sender
	Recipients  []string   `json:"recipients"`
	Identity    string     `json:"identity,omitempty"`
	Client      string     `json:"client,omitempty"`
	Size        int64      `json:"size"`
	Created     time.Time  `json:"created"`
	Due         time.Time  `json:"due"`
	Expires     *time.Time `json:"expires,omitempty"`
	Attempts    int        `json:"attempts"`
	Priority    int        `json:"priority"`
	Hold        string     `json:"hold,omitempty"` // why it is held
	Last        string     `json:"last,omitempty"` // what the latest attempt met
}

// JobOf is the job as it is shown.
func JobOf(j *queue.Job) Job {
	a := Job{
		ID: j.ID, Message: j.Message, Destination: j.Destination, Sender: j.ReversePath.String(), Identity: j.Identity,
		Client: j.Peer.Addr, Size: j.Size + int64(len(j.Prefix)), Created: j.Created.UTC(), Due: j.Due.UTC(), Expires: Known(j.Expires),
		Attempts: j.Attempts, Priority: j.Priority, Hold: j.Hold, Last: j.Last, Recipients: []string{},
	}
	for i := range j.Recipients {
		a.Recipients = append(a.Recipients, j.Recipients[i].ForwardPath.String())
	}
	return a
}

// Jobs is a page of jobs.
type Jobs struct {
	Jobs []Job  `json:"jobs"`
	Next string `json:"next,omitempty"` // the after of the next page
}

// Selection says which jobs a change is for. Selecting nothing in particular
// needs All, so that a forgotten member does not drop the queue.
type Selection struct {
	IDs         []string `json:"ids,omitempty"`
	Message     string   `json:"message,omitempty"`
	Destination string   `json:"destination,omitempty"`
	Sender      string   `json:"sender,omitempty"`
	Recipient   string   `json:"recipient,omitempty"`
	Identity    string   `json:"identity,omitempty"`
	Held        *bool    `json:"held,omitempty"`
	All         bool     `json:"all,omitempty"`
	Reason      string   `json:"reason,omitempty"` // of hold and bounce
	To          string   `json:"to,omitempty"`     // of reroute
}

// Filter is what is selected.
func (s *Selection) Filter() queue.Filter {
	return queue.Filter{
		IDs: s.IDs, Message: s.Message, Destination: s.Destination, Sender: s.Sender,
		Recipient: s.Recipient, Identity: s.Identity, Held: s.Held,
	}
}

// Any reports whether something in particular is selected.
func (s *Selection) Any() bool {
	return len(s.IDs) > 0 || s.Held != nil || s.Message+s.Destination+s.Sender+s.Recipient+s.Identity != ""
}

// Changed counts the jobs that were changed.
type Changed struct {
	Jobs   int  `json:"jobs"`
	DryRun bool `json:"dry_run,omitempty"`
}

// ShapeRow is one destination, sender or identity: jobs by age.
type ShapeRow struct {
	Key   string  `json:"key"`
	Total int64   `json:"total"`
	Ages  []int64 `json:"ages"` // up to 5, 10, 20, … 1,280 minutes, and older
}

// Shape is the age distribution.
type Shape struct {
	Rows []ShapeRow `json:"rows"`
}

// ShapeOf is the distribution as it is shown.
func ShapeOf(rows []queue.ShapeRow) Shape {
	a := Shape{Rows: []ShapeRow{}}
	for i := range rows {
		a.Rows = append(a.Rows, ShapeRow{rows[i].Key, rows[i].Total, rows[i].Ages[:]})
	}
	return a
}

// ShapeBy are the words for what a row is of.
func ShapeBy(word string) (by queue.ShapeBy, ok bool) {
	by, ok = map[string]queue.ShapeBy{
		"": queue.ByDestination, "destination": queue.ByDestination, "sender": queue.BySender, "identity": queue.ByIdentity,
	}[word]
	return by, ok
}

// Paused lists the destinations that are paused.
type Paused struct {
	Destinations []string `json:"destinations"`
}

// Suppression is one address, or "@domain", that gets no mail.
type Suppression struct {
	Address string     `json:"address"`
	Reason  string     `json:"reason"`
	Added   *time.Time `json:"added,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	Job     string     `json:"job,omitempty"` // whose bounce it was
}

// SuppressionOf is the entry as it is shown.
func SuppressionOf(e *suppress.Entry) Suppression {
	return Suppression{e.Address, e.Reason, Known(e.Added), Known(e.Expires), e.Job}
}

// Suppressions is a page of addresses.
type Suppressions struct {
	Addresses []Suppression `json:"addresses"`
	Next      string        `json:"next,omitempty"` // the after of the next page
}

// HoldRule is a rule: what it says has all to be true of a message. Its flags are
// those of mailctl.
type HoldRule struct {
	Name          string     `arg:"" json:"name" help:"Names the rule."`
	Reason        string     `json:"reason,omitempty" help:"Kept with the jobs."`
	Sender        string     `json:"sender,omitempty" help:"Of this sender or domain, or <> for the null sender." placeholder:"ADDRESS"`
	Recipient     string     `json:"recipient,omitempty" help:"To this recipient or domain." placeholder:"ADDRESS"`
	Destination   string     `json:"destination,omitempty" help:"To this next hop." placeholder:"NAME"`
	Identity      string     `json:"identity,omitempty" help:"Submitted by this account." placeholder:"NAME"`
	MinOctets     int64      `json:"min_octets,omitempty" help:"Of at least this size."`
	MinRecipients int        `json:"min_recipients,omitempty" help:"To at least so many recipients."`
	All           bool       `json:"all,omitempty" help:"Every message."`
	Expires       *time.Time `kong:"-" json:"expires,omitempty"`
}

// Rule is the rule of the queue.
func (r *HoldRule) Rule() holdrule.Rule {
	x := holdrule.Rule{
		Name: r.Name, Reason: r.Reason, Sender: r.Sender, Recipient: r.Recipient, Destination: r.Destination, Identity: r.Identity,
		MinOctets: r.MinOctets, MinRecipients: r.MinRecipients, All: r.All,
	}
	if r.Expires != nil {
		x.Expires = *r.Expires
	}
	return x
}

// HoldRuleOf is the rule as it is shown.
func HoldRuleOf(x *holdrule.Rule) HoldRule {
	return HoldRule{
		Name: x.Name, Reason: x.Reason, Sender: x.Sender, Recipient: x.Recipient, Destination: x.Destination, Identity: x.Identity,
		MinOctets: x.MinOctets, MinRecipients: x.MinRecipients, All: x.All, Expires: Known(x.Expires),
	}
}

// HoldRules lists rules.
type HoldRules struct {
	Rules   []HoldRule `json:"rules"`
	Damaged string     `json:"damaged,omitempty"` // what cannot be read; removing its name takes it away
}

// Finished is an attempt that finished recipients.
type Finished struct {
	Message     string              `json:"message"`
	Job         string              `json:"job"`
	Sender      string              `json:"sender"` // "" = the null sender
	Identity    string              `json:"identity,omitempty"`
	Destination string              `json:"destination"`
	Accepted    time.Time           `json:"accepted"`
	Finished    time.Time           `json:"finished"`
	Attempts    int                 `json:"attempts"`
	Size        int64               `json:"size"`
	Recipients  []FinishedRecipient `json:"recipients"`
}

// FinishedRecipient is what became of one of them.
type FinishedRecipient struct {
	Address string `json:"address"`
	State   string `json:"state"` // delivered, failed, expired
	Reply   string `json:"reply,omitempty"`
	NextHop string `json:"next_hop,omitempty"`
}

// FinishedOf is the record as it is shown.
func FinishedOf(r *history.Record) Finished {
	f := Finished{
		Message: r.Message, Job: r.Job, Sender: r.Sender, Identity: r.Identity, Destination: r.Destination,
		Accepted: r.Accepted.UTC(), Finished: r.Finished.UTC(), Attempts: r.Attempts, Size: r.Octets,
	}
	for _, p := range r.Recipients {
		f.Recipients = append(f.Recipients, FinishedRecipient{p.Address, p.State, p.Reply, p.NextHop})
	}
	return f
}

// History is what became of messages, the newest first.
type History struct {
	Records []Finished `json:"records"`
}
