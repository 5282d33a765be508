package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/budget"
	"github.com/mailstead/mailstead/queue/history"
	"github.com/mailstead/mailstead/queue/holdrule"
	"github.com/mailstead/mailstead/queue/suppress"
	"github.com/mailstead/mailstead/queue/webhook"
)

// queueFile is what the queue does besides delivering.
type queueFile struct {
	// History keeps what became of messages for 7 days.
	History bool `toml:"history"`

	// SuppressBouncedDays is for how long an address that another host says
	// does not exist gets no mail; 0 = such addresses are not remembered.
	SuppressBouncedDays int `toml:"suppress-bounced-days"`

	// Budget is what each user may send before more is held; nil = all of it.
	Budget *budgetFile `toml:"budget"`
}

// budgetFile is a budget.Limits, and those of single users.
type budgetFile struct {
	budgetLimits
	Users map[string]budgetLimits `toml:"users"` // by account
}

// budgetLimits: 0 = the default, less = none.
type budgetLimits struct {
	MessagesPerHour   int `toml:"messages-per-hour"`
	RecipientsPerHour int `toml:"recipients-per-hour"`
	MessagesPerDay    int `toml:"messages-per-day"`
	RecipientsPerDay  int `toml:"recipients-per-day"`
}

// limits are those of an identity.
func (f *budgetFile) limits(identity string) budget.Limits {
	if l, ok := f.Users[identity]; ok {
		return budget.Limits(l)
	}
	return budget.Limits(f.budgetLimits)
}

// webhookFile is an endpoint that is told of events.
type webhookFile struct {
	Name        string   `toml:"name"`
	URL         string   `toml:"url"`
	SecretFile  string   `toml:"secret-file"` // one whsec_… a line; a relative name is in the data directory
	Kinds       []string `toml:"kinds"`       // default: all but deferred
	DomainsOnly bool     `toml:"domains-only"`
	Insecure    bool     `toml:"insecure"`
	endpoint    webhook.Endpoint
}

var webhookName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// compile reads the secrets and checks the rest. No error shows a secret.
func (w *webhookFile) compile(dir string) error {
	if !webhookName.MatchString(w.Name) {
		return fmt.Errorf("webhooks: name %q: letters, digits, \".\", \"_\" and \"-\"", w.Name)
	}
	w.endpoint = webhook.Endpoint{Name: w.Name, URL: w.URL, DomainsOnly: w.DomainsOnly, Insecure: w.Insecure, Wants: ofMessage}
	if !strings.HasPrefix(w.URL, "https://") && !w.Insecure {
		return fmt.Errorf("webhooks: %s: url begins with https://, or insecure = true", w.Name)
	}
	for _, word := range w.Kinds {
		kind, err := eventKind(word)
		if err != nil {
			return fmt.Errorf("webhooks: %s: %w", w.Name, err)
		}
		w.endpoint.Kinds = append(w.endpoint.Kinds, kind)
	}
	if w.SecretFile == "" {
		return fmt.Errorf("webhooks: %s: secret-file is missing", w.Name)
	}
	path := w.SecretFile
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("webhooks: %s: %w", w.Name, err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		secret, err := webhook.ParseSecret(line)
		if err != nil {
			return fmt.Errorf("webhooks: %s: %s: %w", w.Name, path, err)
		}
		w.endpoint.Secrets = append(w.endpoint.Secrets, secret)
	}
	if len(w.endpoint.Secrets) == 0 {
		return fmt.Errorf("webhooks: %s: %s has no secret", w.Name, path)
	}
	return nil
}

// ofMessage reports an event of a message itself. Of journal reports and sent
// copies no other program is told, nor where they go.
func ofMessage(e *queue.Event) bool {
	return e.Job.Kind == ""
}

func eventKind(word string) (queue.EventKind, error) {
	for k := queue.EventAccepted; k <= queue.EventHeld; k++ {
		if k.String() == word {
			return k, nil
		}
	}
	return 0, fmt.Errorf("%q is no kind of events", word)
}

// maxBouncedDays is the most of suppress-bounced-days: ten years.
const maxBouncedDays = 3650

// compileWebhooks checks all of them.
func (f *outboundFile) compileWebhooks(dir string) error {
	for i := range f.Webhooks {
		if err := f.Webhooks[i].compile(dir); err != nil {
			return err
		}
		if slices.ContainsFunc(f.Webhooks[:i], func(w webhookFile) bool { return w.Name == f.Webhooks[i].Name }) {
			return fmt.Errorf("webhooks: %s stands there twice", f.Webhooks[i].Name)
		}
	}
	if days := f.Queue.SuppressBouncedDays; days < 0 || days > maxBouncedDays {
		return fmt.Errorf("queue: suppress-bounced-days is a number from 0 to %d", maxBouncedDays)
	}
	return nil
}

// extras gives the queue hold rules, and puts around the router what looks at the
// mail that leaves: addresses that get none, webhooks, and what is kept of
// outcomes.
func (s *server) extras(router queue.Router) queue.Router {
	f := s.outbound
	s.rules = holdrule.New(s.engine.queue)
	s.rules.Logger = s.log
	s.queue.Admit = s.rules.Admit
	if f.Queue.Budget != nil {
		used := &budget.Budget{Storage: s.engine.queue, Limits: f.Queue.Budget.limits}
		s.queue.Admit = queue.Admissions(s.rules.Admit, used.Admit)
	}
	bounced := time.Duration(f.Queue.SuppressBouncedDays) * 24 * time.Hour
	if bounced == 0 {
		bounced = -1
	}
	s.suppressed = suppress.New(s.engine.queue, suppress.Options{Bounced: bounced})
	router = s.suppressed.Router(router)
	var records []func(*queue.Job, []queue.Result, time.Time) []queue.Entry
	if bounced > 0 {
		records = append(records, s.suppressed.Record)
	}
	s.history = &history.History{Storage: s.engine.queue, Logger: s.log}
	if f.Queue.History {
		records = append(records, s.history.Record)
	}
	if len(records) > 0 {
		s.runner.Record = queue.Records(records...)
	}
	if len(f.Webhooks) > 0 {
		hooks := &webhook.Hooks{Logger: s.log}
		for i := range f.Webhooks {
			hooks.Endpoints = append(hooks.Endpoints, f.Webhooks[i].endpoint)
		}
		s.queue.Notify = hooks.Notify
		router = hooks.Router(router)
	}
	return router
}

// keepHistory keeps the history within its bounds until ctx ends.
func (s *server) keepHistory(ctx context.Context) {
	if s.outbound.Queue.History {
		s.history.Run(ctx)
	}
}
