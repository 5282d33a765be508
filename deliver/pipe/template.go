package pipe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// ErrTemplate: an element of Command is no template.
var ErrTemplate = errors.New("pipe: bad element of a command")

// maxElement bounds an element of Command, in octets.
const maxElement = 4096

// element is one element of Command: text and macros in turn, beginning and
// ending with text.
type element struct {
	text   []string
	macros []string
	each   bool // stands once for each recipient
}

// values are what the macros of one recipient mean.
type values struct {
	recipient, mailbox, user, extension, domain string // of the recipient
	sender, queueID                             string // of the message
}

// macro is the value of a name; ok is false for a name that there is not. each
// says that it is of a recipient.
func (v *values) macro(name string) (value string, each, ok bool) {
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

// parseElement: text = any octet but NUL, "$" as "$$"; macro = "$" name / "${" name "}".
func parseElement(s string) (e element, err error) {
	if len(s) > maxElement || strings.ContainsRune(s, 0) {
		return e, fmt.Errorf("%w: %.40q", ErrTemplate, s)
	}
	var text strings.Builder
	for rest := s; rest != ""; {
		before, after, found := strings.Cut(rest, "$")
		text.WriteString(before)
		if !found {
			break
		}
		if strings.HasPrefix(after, "$") {
			text.WriteByte('$')
			rest = after[1:]
			continue
		}
		name, tail := macroName(after)
		_, each, ok := (&values{}).macro(name)
		if !ok {
			return e, fmt.Errorf("%w: %.40q: no macro $%s", ErrTemplate, s, name)
		}
		e.text, e.macros, e.each = append(e.text, text.String()), append(e.macros, name), e.each || each
		text.Reset()
		rest = tail
	}
	e.text = append(e.text, text.String())
	return e, nil
}

// macroName takes the name at the start of s, with or without braces.
func macroName(s string) (name, rest string) {
	if braced, ok := strings.CutPrefix(s, "{"); ok {
		if name, rest, ok := strings.Cut(braced, "}"); ok {
			return name, rest
		}
		return "{", s
	}
	n := 0
	for n < len(s) && (s[n] == '_' || 'a' <= s[n] && s[n] <= 'z') {
		n++
	}
	return s[:n], s[n:]
}

func (e *element) expand(v *values) string {
	if len(e.macros) == 0 {
		return e.text[0]
	}
	var b strings.Builder
	for i, name := range e.macros {
		value, _, _ := v.macro(name)
		b.WriteString(e.text[i])
		b.WriteString(value)
	}
	b.WriteString(e.text[len(e.macros)])
	return b.String()
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
			if options && strings.HasPrefix(arg, "-") && !strings.HasPrefix(e.text[0], "-") {
				return nil, smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 3}, "This address cannot be passed to a program")
			}
			if total += len(arg) + 1; total > maxArgs {
				return nil, errArgs
			}
			out = append(out, arg)
		}
		options = options && !(len(e.macros) == 0 && e.text[0] == "--")
	}
	return out, nil
}
