package holdrule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/table"
	"github.com/mailstead/mailstead/smtp"
)

// Kind is the Kind of the entries of rules.
const Kind = "hold-rule"

// MaxRules is how many rules there may be.
const MaxRules = 1000

// Errors of a Rule; tested with errors.Is.
var (
	ErrRule = errors.New("holdrule: not a rule")
	ErrMany = errors.New("holdrule: too many rules")
)

// Rule says which messages are held. Of its conditions, those that are set have
// all to be true. Addresses are compared as queue.FoldPath says.
type Rule struct {
	// Name names the rule; one of the same name takes its place. Not empty.
	Name string `json:"-"`

	// Reason is Job.Hold of what is held; "" = "hold rule NAME".
	Reason string `json:"reason,omitempty"`

	Sender        string `json:"sender,omitempty"`         // "local@domain", "@domain", or "<>" for the null sender
	Recipient     string `json:"recipient,omitempty"`      // "local@domain", or "@domain"; only jobs with it are held
	Destination   string `json:"destination,omitempty"`    // the next-hop name; only jobs to it are held
	Identity      string `json:"identity,omitempty"`       // the account that submitted the message
	MinOctets     int64  `json:"min_octets,omitempty"`     // the size at least
	MinRecipients int    `json:"min_recipients,omitempty"` // of the message at least; not of what an intake adds to it

	// All holds every message: for a rule that has no condition.
	All bool `json:"all,omitempty"`

	Expires time.Time `json:"-"` // zero = never
}

// validate reports ErrRule.
func (r *Rule) validate() error {
	address := func(a string) bool {
		return a == "" || strings.LastIndexByte(a, '@') >= 0 && !strings.HasSuffix(a, "@")
	}
	conditions := *r
	conditions.Name, conditions.Reason, conditions.Expires = "", "", time.Time{}
	switch {
	case r.Name == "":
		return fmt.Errorf("%w: no name", ErrRule)
	case conditions == Rule{}:
		return fmt.Errorf("%w: %q has no condition; All holds everything", ErrRule, r.Name)
	case r.All && conditions != Rule{All: true}:
		return fmt.Errorf("%w: %q has All and conditions", ErrRule, r.Name)
	case !address(r.Sender) && r.Sender != "<>":
		return fmt.Errorf("%w: %q: sender %.100q", ErrRule, r.Name, r.Sender)
	case !address(r.Recipient):
		return fmt.Errorf("%w: %q: recipient %.100q", ErrRule, r.Name, r.Recipient)
	case r.MinOctets < 0 || r.MinRecipients < 0:
		return fmt.Errorf("%w: %q: a negative number", ErrRule, r.Name)
	}
	return nil
}

// Rules are the rules of a queue; New makes them. Any number of goroutines may use
// it.
type Rules struct {
	Logger *slog.Logger // told of rules that cannot be read; nil = slog.Default

	table table.List

	mu      sync.Mutex
	version uint64 // of the table that the rules were read from
	rules   []Rule
	damage  error
}

// New makes the rules of a storage.
func New(s queue.Storage) *Rules {
	return &Rules{table: table.List{Storage: s, Kind: Kind, Max: MaxRules}}
}

// Put adds or replaces rules, durable when it returns. ErrRule, ErrMany: none
// was written.
func (rs *Rules) Put(ctx context.Context, rules ...Rule) error {
	known, _, err := rs.table.All(ctx)
	if err != nil {
		return err
	}
	total := len(known)
	for i := range rules {
		named := func(e queue.Entry) bool { return e.Key == rules[i].Name }
		if !slices.ContainsFunc(known, named) {
			total++
		}
	}
	if total > MaxRules {
		return ErrMany
	}
	var out []queue.Entry
	for i := range rules {
		r := &rules[i]
		if err := r.validate(); err != nil {
			return err
		}
		value, err := json.Marshal(r)
		if err != nil {
			return err
		}
		out = append(out, queue.Entry{Key: r.Name, Value: value, Expires: r.Expires})
	}
	return rs.table.Put(ctx, out...)
}

// Remove takes rules away; what they hold stays held.
func (rs *Rules) Remove(ctx context.Context, names ...string) error {
	var out []queue.Entry
	for _, n := range names {
		out = append(out, queue.Entry{Key: n, Remove: true})
	}
	return rs.table.Put(ctx, out...)
}

// List returns the rules by name. ErrRule: some cannot be read, and are left out;
// Remove takes them away.
func (rs *Rules) List(ctx context.Context) ([]Rule, error) {
	rules, damage, err := rs.all(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	rules = slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.expired(now) })
	return rules, damage
}

func (r *Rule) expired(now time.Time) bool { return !r.Expires.IsZero() && !now.Before(r.Expires) }

// all returns the rules as they were read last, and what could not be.
func (rs *Rules) all(ctx context.Context) (rules []Rule, damage, err error) {
	entries, version, err := rs.table.All(ctx)
	if err != nil {
		return nil, nil, err
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if version <= rs.version {
		return rs.rules, rs.damage, nil
	}
	var faults []error
	for i := range entries {
		e := &entries[i]
		r := Rule{}
		if err := json.Unmarshal(e.Value, &r); err != nil {
			faults = append(faults, fmt.Errorf("%w: %q: %w", ErrRule, e.Key, err))
			continue
		}
		r.Name, r.Expires = e.Key, e.Expires
		rules = append(rules, r)
	}
	rs.version, rs.rules, rs.damage = version, rules, errors.Join(faults...)
	if rs.damage != nil {
		rs.log().ErrorContext(ctx, "holdrule: a rule cannot be read; it holds nothing", "error", rs.damage)
	}
	return rs.rules, rs.damage, nil
}

func (rs *Rules) log() *slog.Logger {
	if rs.Logger != nil {
		return rs.Logger
	}
	return slog.Default()
}

// Admit holds the jobs of a message that a rule selects, by the first of the
// rules in the order of names. Jobs that are held already stay as they are, and
// those that are no mail on its way (queue.Job.Kind) go theirs.
func (rs *Rules) Admit(ctx context.Context, jobs []queue.Job) error {
	rules, _, err := rs.all(ctx)
	if err != nil || len(rules) == 0 {
		return err
	}
	total := 0
	for i := range jobs {
		if jobs[i].Kind == "" {
			total += len(jobs[i].Recipients)
		}
	}
	now := time.Now()
	for i := range jobs {
		for k := range rules {
			if jobs[i].Hold == "" && jobs[i].Kind == "" && rules[k].match(&jobs[i], total) && !rules[k].expired(now) {
				jobs[i].Hold = cmp.Or(rules[k].Reason, "hold rule "+rules[k].Name)
			}
		}
	}
	return nil
}

// match reports whether the rule selects a job of a message to so many
// recipients.
func (r *Rule) match(j *queue.Job, recipients int) bool {
	switch {
	case r.Sender == "<>" && !j.ReversePath.IsNull(),
		r.Sender != "" && r.Sender != "<>" && !matches(r.Sender, j.ReversePath.Path),
		r.Destination != "" && r.Destination != j.Destination,
		r.Identity != "" && r.Identity != j.Identity,
		j.Size+int64(len(j.Prefix)) < r.MinOctets,
		recipients < r.MinRecipients:
		return false
	case r.Recipient == "":
		return true
	}
	for i := range j.Recipients {
		if matches(r.Recipient, j.Recipients[i].ForwardPath.Path) {
			return true
		}
	}
	return false
}

// matches compares an address, or "@domain", with a path.
func matches(pattern string, p smtp.Path) bool {
	at := strings.LastIndexByte(pattern, '@')
	if queue.FoldPath(pattern[at+1:]) != queue.FoldPath(p.Domain) {
		return false
	}
	return at == 0 || queue.FoldPath(pattern[:at]) == queue.FoldPath(p.Local)
}
