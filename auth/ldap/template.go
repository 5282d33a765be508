package ldap

import (
	"errors"
	"slices"
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
)

// names are the values of placeholders.
type names struct {
	name   string // {name}: the whole
	local  string // {local}: what is in front of the last "@"
	domain string // {domain}: what is behind it
}

// part is a piece of a text with placeholders: a literal, or a placeholder.
type part struct {
	literal     string
	placeholder string // "name", "local", "domain"; "" = literal
}

// text is a text with placeholders.
type text []part

var (
	errPlaceholder = errors.New("unknown placeholder; known are {name}, {local} and {domain}; a brace is written \\7b")
	errNoName      = errors.New("no placeholder: every user would find the same entries")
	errPlace       = errors.New("a placeholder stands only behind the '=' of an equality, not under '!', and in each branch of its '|'")
	errAttribute   = errors.New("not the name of an attribute in front of '='")
	errReserved    = errors.New("the octet \\ff is in no text")
)

// parseText splits s.
func parseText(s string) (t text, err error) {
	for s != "" {
		literal, rest, found := strings.Cut(s, "{")
		if literal != "" {
			t = append(t, part{literal: literal})
		}
		if !found {
			break
		}
		word, after, closed := strings.Cut(rest, "}")
		if !closed || word != "name" && word != "local" && word != "domain" {
			return nil, errPlaceholder
		}
		t = append(t, part{placeholder: word})
		s = after
	}
	return t, nil
}

// has reports whether the placeholder is in t; "" = any.
func (t text) has(placeholder string) bool {
	for _, p := range t {
		if p.placeholder != "" && (placeholder == "" || p.placeholder == placeholder) {
			return true
		}
	}
	return false
}

// expand puts values in the place of placeholders, each escaped.
func (t text) expand(n names, escape func(string) string) string {
	var b strings.Builder
	for _, p := range t {
		switch p.placeholder {
		case "":
			b.WriteString(p.literal)
		case "name":
			b.WriteString(escape(n.name))
		case "local":
			b.WriteString(escape(n.local))
		case "domain":
			b.WriteString(escape(n.domain))
		}
	}
	return b.String()
}

// The marks stand for placeholders while a text is parsed: octets that are
// never in UTF-8.
const markPrefix = "\xff"

var (
	markOf      = map[string]string{"name": markPrefix + "n", "local": markPrefix + "l", "domain": markPrefix + "d"}
	escapedMark = names{`\ffn`, `\ffl`, `\ffd`}
)

func verbatim(s string) string { return s }

// filter is a search filter (RFC 4515) with placeholders. Its structure is
// that of the configured text, whatever the values are: they stand in
// equalities only, escaped.
type filter struct {
	text  text
	holds *condition
}

// condition is the part of a filter that depends on placeholders, for a second
// look at what a server found: it may compare more loosely than we do.
type condition struct {
	all, any  []*condition
	attribute string // lower case; of an equality
	value     text
}

// parseFilter reads a filter with placeholders.
func parseFilter(s string) (*filter, error) {
	t, err := parseText(s)
	if err != nil {
		return nil, err
	}
	if strings.Contains(strings.ToLower(s), `\ff`) {
		return nil, errReserved
	}
	packet, err := goldap.CompileFilter(t.expand(escapedMark, verbatim))
	if err != nil {
		return nil, err
	}
	holds, err := conditionOf(packet)
	if err != nil {
		return nil, err
	}
	if holds == nil {
		return nil, errNoName
	}
	return &filter{text: t, holds: holds}, nil
}

// conditionOf walks a compiled filter; nil = no placeholder in it.
func conditionOf(p *ber.Packet) (*condition, error) {
	switch p.Tag {
	case goldap.FilterAnd, goldap.FilterOr:
		return junctionOf(p)
	case goldap.FilterEqualityMatch:
		attribute, _ := p.Children[0].Value.(string)
		value, _ := p.Children[1].Value.(string)
		if !isAttribute(attribute) {
			return nil, errAttribute
		}
		if !strings.Contains(value, markPrefix) {
			return nil, nil
		}
		return &condition{attribute: strings.ToLower(attribute), value: unmark(value)}, nil
	}
	if marked(p) {
		return nil, errPlace
	}
	return nil, nil
}

// marked reports whether a placeholder is anywhere in p.
func marked(p *ber.Packet) bool {
	s, _ := p.Value.(string)
	return strings.Contains(s, markPrefix) || strings.Contains(s, `\ff`) || slices.ContainsFunc(p.Children, marked)
}

// junctionOf is conditionOf for "&" and "|".
func junctionOf(p *ber.Packet) (*condition, error) {
	var list []*condition
	for _, child := range p.Children {
		c, err := conditionOf(child)
		if err != nil {
			return nil, err
		}
		if c != nil {
			list = append(list, c)
		}
	}
	switch {
	case len(list) == 0:
		return nil, nil
	case p.Tag == goldap.FilterAnd:
		return &condition{all: list}, nil
	case len(list) != len(p.Children):
		return nil, errPlace
	}
	return &condition{any: list}, nil
}

// unmark turns marks back into placeholders.
func unmark(value string) (t text) {
	for value != "" {
		literal, rest, found := strings.Cut(value, markPrefix)
		if literal != "" {
			t = append(t, part{literal: literal})
		}
		if !found {
			break
		}
		for word, mark := range markOf {
			if strings.HasPrefix(markPrefix+rest, mark) {
				t = append(t, part{placeholder: word})
			}
		}
		value = rest[1:]
	}
	return t
}

// expand is the filter for these values.
func (f *filter) expand(n names) string { return f.text.expand(n, goldap.EscapeFilter) }

// attributes are those that matches looks at.
func (c *condition) attributes() (list []string) {
	if c.attribute != "" {
		list = append(list, c.attribute)
	}
	for _, sub := range slices.Concat(c.all, c.any) {
		list = append(list, sub.attributes()...)
	}
	return list
}

// matches reports whether an entry has the values, compared as mail does:
// without regard to case, domains in any form, and nothing else.
func (c *condition) matches(e *entry, n names) bool {
	switch {
	case c.all != nil:
		for _, sub := range c.all {
			if !sub.matches(e, n) {
				return false
			}
		}
		return true
	case c.any != nil:
		for _, sub := range c.any {
			if sub.matches(e, n) {
				return true
			}
		}
		return false
	}
	want := fold(c.value.expand(n, verbatim))
	for _, v := range e.values(c.attribute) {
		if fold(v) == want {
			return true
		}
	}
	return false
}

// fold is the form in which values are compared.
func fold(s string) string {
	p := smtp.Path{Local: s}
	if i := strings.LastIndexByte(s, '@'); i >= 0 {
		p = smtp.Path{Local: s[:i], Domain: s[i+1:]}
	}
	return deliver.CanonicalAddress(p)
}

// dnTemplate is a distinguished name (RFC 4514) with placeholders.
type dnTemplate struct{ text text }

var errDNPlace = errors.New("a placeholder stands only in a value, behind '='")

// parseDN reads a DN with placeholders. "" is none.
func parseDN(s string) (dnTemplate, error) {
	t, err := parseText(s)
	if err != nil {
		return dnTemplate{}, err
	}
	if strings.Contains(strings.ToLower(s), `\ff`) {
		return dnTemplate{}, errReserved
	}
	parsed, err := goldap.ParseDN(t.expand(escapedMark, verbatim))
	if err != nil {
		return dnTemplate{}, err
	}
	for _, rdn := range parsed.RDNs {
		for _, a := range rdn.Attributes {
			if !isAttribute(a.Type) {
				return dnTemplate{}, errDNPlace
			}
		}
	}
	return dnTemplate{t}, nil
}

func (d dnTemplate) static() bool { return !d.text.has("") }

func (d dnTemplate) expand(n names) string { return d.text.expand(n, goldap.EscapeDN) }
