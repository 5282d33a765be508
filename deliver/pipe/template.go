package pipe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/internal/macro"
	"github.com/mailstead/mailstead/smtp"
)

// ErrTemplate: an element of Command is no template.
var ErrTemplate = macro.ErrTemplate

// element is one element of Command.
type element struct {
	macro.Template
	each bool // stands once for each recipient
}

// values are what the macros of one recipient mean.
type values struct {
	recipient, mailbox, user, extension, domain string // of the recipient
	sender, queueID                             string // of the message
}

// value is what a name stands for. each says that it is of a recipient.
func (v *values) value(name string) (value string, each, ok bool) {
	switch name {
	case "recipient":
		return v.recipient, true, true
	case "mailbox":
		return v.mailbox, true, true
	case "user":
		return v.user, true, true
	case "extension":
		return v.extension, true, true
	case "domain":
		return v.domain, true, true
	case "sender":
		return v.sender, false, true
	case "queue_id":
		return v.queueID, false, true
	}
	return "", false, false
}

func parseElement(s string) (e element, err error) {
	e.Template, err = macro.Parse(s, func(name string) bool {
		_, each, ok := (&values{}).value(name)
		e.each = e.each || each
		return ok
	})
	return e, err
}

func (e *element) expand(v *values) string {
	return e.Expand(func(name string) string {
		value, _, _ := v.value(name)
		return value
	})
}

// command is a parsed Target.Command.
type command []element

func parseCommand(elements []string) (command, error) {
	if len(elements) == 0 || !strings.HasPrefix(elements[0], "/") || strings.Contains(elements[0], "$") {
		return nil, fmt.Errorf("%w: the program has to be named by its whole path", ErrTemplate)
	}
	c := make(command, len(elements))
	var faults []error
	for i, s := range elements {
		var err error
		if c[i], err = parseElement(s); err != nil {
			faults = append(faults, err)
		}
	}
	return c, errors.Join(faults...)
}

// maxArgs bounds what one program is given, in octets; systems allow 128 KiB
// and more.
const maxArgs = 100_000

var (
	errArgs     = errors.New("pipe: the arguments are too long")
	errTooShort = errors.New("pipe: no recipient")
)

// args are the arguments for these recipients. Behind an element "--" there are
// no options, before it what comes from an address must not become one.
func (c command) args(vs []values) ([]string, error) {
	if len(vs) == 0 {
		return nil, errTooShort
	}
	var out []string
	total, options := 0, true
	for i := range c {
		e := &c[i]
		n := 1
		if e.each {
			n = len(vs)
		}
		for k := range n {
			arg := e.expand(&vs[k])
			if options && strings.HasPrefix(arg, "-") && !strings.HasPrefix(e.Start(), "-") {
				return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "This address cannot be passed to a program")
			}
			if total += len(arg) + 1; total > maxArgs {
				return nil, errArgs
			}
			out = append(out, arg)
		}
		options = options && !(len(e.Names()) == 0 && e.Start() == "--")
	}
	return out, nil
}
