package main

import (
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store/backup"
)

// problems collects what a command found.
type problems struct {
	a    *app
	list []string
}

// maxProblems bounds the list of a result; all of them are told.
const maxProblems = 10_000

func (p *problems) add(x *answer.Problem) {
	s := describe(x)
	if p.a.json {
		p.a.emit(event{Event: "problem", Problem: x})
	} else {
		fmt.Fprintln(p.a.err, "problem:", s)
	}
	if len(p.list) < maxProblems {
		p.list = append(p.list, s)
	}
}

// archive adds a problem of an archive.
func (p *problems) archive(x *backup.Problem) {
	p.add(&answer.Problem{Account: string(x.Account), Mailbox: x.Mailbox, UID: uint32(x.UID), File: x.Object, Text: x.Err.Error()})
}

// describe is the problem in one line.
func describe(x *answer.Problem) string {
	var parts []string
	for _, f := range [...]struct{ what, value string }{{"", x.File}, {"account ", x.Account}, {"mailbox ", x.Mailbox}} {
		if f.value != "" {
			parts = append(parts, f.what+f.value)
		}
	}
	if x.UID != 0 {
		parts = append(parts, fmt.Sprintf("message %d", x.UID))
	}
	if x.Octets != 0 {
		parts = append(parts, fmt.Sprintf("%d octets at %d", x.Octets, x.Offset))
	}
	if len(parts) == 0 {
		return x.Text
	}
	return strings.Join(parts, " ") + ": " + x.Text
}

// check ends a command that found something.
func (p *problems) check(err error) error {
	if err == nil && len(p.list) > 0 {
		return errProblems
	}
	return err
}
