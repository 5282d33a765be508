package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/sqlqueue"
	"github.com/mailstead/mailstead/queue/suppress"
)

type queueSuppressCmd struct {
	List   suppressListCmd   `cmd:"" help:"List the addresses that get no mail."`
	Add    suppressAddCmd    `cmd:"" help:"Send nothing to addresses, or to all of a domain; senders are told."`
	Remove suppressRemoveCmd `cmd:"" help:"Send to addresses again."`
}

func suppressionLine(s *answer.Suppression) string {
	line := s.Address
	if s.Expires != nil {
		line += "  until " + s.Expires.Local().Format(time.DateTime)
	}
	if s.Job != "" {
		line += "  job " + s.Job
	}
	return line + "  " + s.Reason
}

// addressOf is an address of the list. A domain stands for all of it: on a command
// line @domain would be a file.
func addressOf(text string) string {
	if text == "" || strings.Contains(text, "@") {
		return text
	}
	return "@" + text
}

// suppressed reads the list from prefix on.
func (a *app) suppressed(prefix string) (list []answer.Suppression, err error) {
	list = []answer.Suppression{}
	err = a.withQueue(func(s *sqlqueue.Storage) error {
		for e, err := range suppress.New(s, suppress.Options{}).All(a.ctx, suppress.Filter{Prefix: prefix}) {
			if err != nil {
				return err
			}
			list = append(list, answer.SuppressionOf(e))
		}
		return nil
	}, func(s *server) error {
		for q := (url.Values{"prefix": {prefix}}); ; {
			var page answer.Suppressions
			if err := s.Do(a.ctx, http.MethodGet, "/v1/queue/suppressed?"+q.Encode(), nil, &page); err != nil {
				return err
			}
			list = append(list, page.Addresses...)
			if page.Next == "" {
				return nil
			}
			q.Set("after", page.Next)
		}
	})
	return list, err
}

type suppressListCmd struct {
	Prefix string `arg:"" optional:"" help:"Only what begins so; @ = the domains."`
}

// Run lists what is suppressed.
func (c *suppressListCmd) Run(a *app) error {
	list, err := a.suppressed(c.Prefix)
	if err != nil {
		return err
	}
	var lines []string
	for i := range list {
		lines = append(lines, suppressionLine(&list[i]))
	}
	return a.result(answer.Suppressions{Addresses: list}, lines...)
}

// addressChange counts addresses.
type addressChange struct {
	Addresses int  `json:"addresses"`
	DryRun    bool `json:"dry_run,omitempty"`
}

func (a *app) addresses(n int) error {
	return a.result(addressChange{n, a.dryRun}, fmt.Sprintf("%d addresses", n))
}

type suppressAddCmd struct {
	Addresses []string      `arg:"" name:"address" help:"local@domain, or a domain for all of it."`
	Reason    string        `help:"For the senders and for the list."`
	For       time.Duration `help:"How long; without it for good." placeholder:"TIME"`
}

// Run suppresses addresses.
func (c *suppressAddCmd) Run(a *app) error {
	var expires time.Time
	if c.For < 0 {
		return &useError{"--for is negative"}
	} else if c.For > 0 {
		expires = time.Now().Add(c.For)
	}
	if a.dryRun {
		return a.addresses(len(c.Addresses))
	}
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		l := suppress.New(s, suppress.Options{})
		for _, address := range c.Addresses {
			if err := l.Add(a.ctx, suppress.Entry{Address: addressOf(address), Reason: c.Reason, Expires: expires}); err != nil {
				return addressError(err)
			}
		}
		return nil
	}, func(s *server) error {
		for _, address := range c.Addresses {
			in := map[string]any{"address": addressOf(address), "reason": c.Reason, "expires": answer.Known(expires)}
			if err := s.Do(a.ctx, http.MethodPost, "/v1/queue/suppress", in, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.addresses(len(c.Addresses))
}

// addressError is bad use where the address is none.
func addressError(err error) error {
	if errors.Is(err, suppress.ErrAddress) || errors.Is(err, queue.ErrEntry) {
		return &useError{"an address is local@domain, or a domain for all of it"}
	}
	return err
}

type suppressRemoveCmd struct {
	Addresses []string `arg:"" name:"address" help:"local@domain, or a domain."`
}

// Run ends suppressions.
func (c *suppressRemoveCmd) Run(a *app) error {
	var there []string
	for _, text := range c.Addresses {
		address := addressOf(text)
		list, err := a.suppressed(address)
		if err != nil {
			return err
		}
		if len(list) > 0 && list[0].Address == queue.FoldPath(address) {
			there = append(there, address)
		}
	}
	if a.dryRun || len(there) == 0 {
		return a.addresses(len(there))
	}
	err := a.withQueue(func(s *sqlqueue.Storage) error {
		return suppress.New(s, suppress.Options{}).Remove(a.ctx, there...)
	}, func(s *server) error {
		for _, address := range there {
			if err := s.Do(a.ctx, http.MethodPost, "/v1/queue/unsuppress", map[string]any{"address": address}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.addresses(len(there))
}
