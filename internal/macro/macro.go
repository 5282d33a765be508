// Package macro replaces $NAME and ${NAME} in the templates of an operator. Values
// are put in as they are, and never looked at for macros.
package macro

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTemplate: the text is no template.
var ErrTemplate = errors.New("bad template")

// maxTemplate bounds a template, in octets.
const maxTemplate = 4096

// Template is a parsed template: text and names in turn, beginning and ending
// with text.
type Template struct {
	text  []string
	names []string
}

// Parse reads a template: any octet but NUL, "$$" for a dollar sign, and the
// names that known reports, of lower-case letters and "_". The error is an
// ErrTemplate.
func Parse(s string, known func(name string) bool) (t Template, err error) {
	if len(s) > maxTemplate || strings.ContainsRune(s, 0) {
		return t, fmt.Errorf("%w: %.40q", ErrTemplate, s)
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
		name, tail := cutName(after)
		if !known(name) {
			return t, fmt.Errorf("%w: %.40q: no macro $%s", ErrTemplate, s, name)
		}
		t.text, t.names = append(t.text, text.String()), append(t.names, name)
		text.Reset()
		rest = tail
	}
	t.text = append(t.text, text.String())
	return t, nil
}

// cutName takes the name at the start of s, with or without braces.
func cutName(s string) (name, rest string) {
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

// Names are the macros in it, in order.
func (t *Template) Names() []string { return t.names }

// Start is the text in front of the first macro, all of it where there is none.
func (t *Template) Start() string { return t.text[0] }

// Expand is the text with the values of its macros.
func (t *Template) Expand(value func(name string) string) string {
	if len(t.names) == 0 {
		return t.text[0]
	}
	var b strings.Builder
	for i, name := range t.names {
		b.WriteString(t.text[i])
		b.WriteString(value(name))
	}
	b.WriteString(t.text[len(t.names)])
	return b.String()
}
