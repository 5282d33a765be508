package recipient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/mimetext"
	"github.com/mailstead/mailstead/smtp"
)

const (
	// maxPattern is the octets of Rule.Match, Rule.Regexp and Row.From.
	maxPattern = 1000

	// maxText is the octets of a field that rules look at.
	maxText = 32 << 10
)

// rule is a Rule that can be asked.
type rule struct {
	by         string
	field      string
	isAddress  bool           // the field holds addresses
	glob       *regexp.Regexp // of Match; nil = none
	regexp     *regexp.Regexp // nil = none
	to         []template
	all, goes  bool // All, Continue
	isProvider bool // Trusted
}

// template is one of Rule.To.
type template struct {
	text  string    // with captures
	path  smtp.Path // without
	fixed bool      // there are no captures
	free  bool      // its domain is spelled out: Accept is not asked
}

// addressFields are the fields whose values are lists of addresses, apart from
// those that the configuration says so of.
func addressFields() []string {
	return []string{
		"from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-sender", "resent-to", "resent-cc",
		"resent-bcc", "return-path", "delivered-to", "x-original-to", "x-envelope-to", "envelope-to", "x-rcpt-to", "apparently-to",
	}
}

func (r *compiler) rule(c *Rule, n int) (rule, error) {
	out := rule{by: "rule " + c.Name, all: c.All, goes: c.Continue, isProvider: c.Trusted}
	if c.Name == "" {
		out.by = "rule " + strconv.Itoa(n+1)
	}
	var err error
	if out.field, err = fieldName(c.Field); err != nil {
		return out, err
	}
	r.wantedName(out.field)
	out.isAddress = slices.Contains(addressFields(), out.field) || slices.Contains(r.address, out.field)
	switch {
	case c.Match == "" && c.Regexp == "":
		return out, errors.New("neither Match nor Regexp")
	case len(c.Match) > maxPattern || len(c.Regexp) > maxPattern:
		return out, fmt.Errorf("a pattern of more than %d octets", maxPattern)
	case len(c.To) == 0 && (c.Match == "" || c.Regexp != "" || !out.isAddress):
		return out, errors.New("no To, and the field has no addresses that match")
	}
	if c.Match != "" {
		out.glob = globRegexp(c.Match, out.isAddress)
	}
	if c.Regexp != "" {
		if out.regexp, err = regexp.Compile(c.Regexp); err != nil {
			return out, err
		}
	}
	for _, text := range c.To {
		t, err := newTemplate(text, out.regexp)
		if err != nil {
			return out, fmt.Errorf("To %q: %w", text, err)
		}
		out.to = append(out.to, t)
	}
	return out, nil
}

// globRegexp is Rule.Match; a whole address is compared in its canonical form.
func globRegexp(pattern string, isAddress bool) *regexp.Regexp {
	if at := strings.LastIndexByte(pattern, '@'); isAddress && at >= 0 && !strings.ContainsAny(pattern[at:], "*?") {
		pattern = pattern[:at+1] + mailaddr.Domain(pattern[at+1:])
	}
	text := regexp.QuoteMeta(pattern)
	text = strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(text)
	return regexp.MustCompile("(?is)^" + text + "$")
}

// newTemplate reads one of Rule.To or a Row.To; re may be nil.
func newTemplate(text string, re *regexp.Regexp) (template, error) {
	t := template{text: text}
	if re == nil && strings.Contains(text, "${") {
		return t, errors.New("captures without a Regexp")
	}
	if re == nil || !strings.Contains(text, "$") {
		p, err := smtp.ParseMailbox(text, true)
		return template{path: p, fixed: true, free: true}, err
	}
	if err := checkCaptures(text, re); err != nil {
		return t, err
	}
	at := strings.LastIndexByte(text, '@')
	t.free = at >= 0 && !strings.Contains(text[at:], "$")
	if t.free {
		if _, err := smtp.ParseMailbox("x"+text[at:], true); err != nil {
			return t, err
		}
	}
	return t, nil
}

// checkCaptures reports a capture that the expression does not have.
func checkCaptures(text string, re *regexp.Regexp) error {
	for rest := text; ; {
		i := strings.IndexByte(rest, '$')
		if i < 0 {
			return nil
		}
		name, behind, ok := strings.Cut(strings.TrimPrefix(rest[i+1:], "{"), "}")
		if rest = behind; !ok || !strings.HasPrefix(text[len(text)-len(behind)-len(name)-3:], "${") {
			return errors.New("captures are written ${1} or ${name}")
		}
		n, err := strconv.Atoi(name)
		if err != nil {
			n = re.SubexpIndex(name)
		}
		if n < 0 || n > re.NumSubexp() {
			return fmt.Errorf("the expression has no capture %q", name)
		}
	}
}

// expand is the text of a template for one match in text; ok false: it is too
// long for an address.
func (t *template) expand(re *regexp.Regexp, text string, match []int) (string, bool) {
	out := re.ExpandString(nil, t.text, text, match)
	return string(out), len(out) <= smtp.MaxPath
}

// address is the address of a template for one match in a field, where it is
// written as addresses are in headers.
func (t *template) address(re *regexp.Regexp, text string, match []int) (smtp.Path, bool) {
	if t.fixed {
		return t.path, true
	}
	out, ok := t.expand(re, text, match)
	if !ok {
		return smtp.Path{}, false
	}
	p, err := smtp.ParseMailbox(out, true)
	return p, err == nil
}

// fromRules asks the rules in order.
func (s *search) fromRules(ctx context.Context) (bool, error) {
	var sum finding
	for i := range s.rules {
		rule := &s.rules[i]
		f := finding{paths: s.apply(rule), by: rule.by, guessed: !rule.isProvider}
		if len(f.paths) == 0 {
			continue
		}
		if len(sum.paths) == 0 {
			sum.by = f.by
		}
		sum.paths = append(sum.paths, f.paths...)
		sum.guessed = sum.guessed || f.guessed
		if rule.goes {
			continue
		}
		if found, err := s.settle(ctx, sum); found || err != nil {
			return found, err
		}
		sum = finding{}
	}
	return s.settle(ctx, sum)
}

// apply returns the recipients of one rule.
func (s *search) apply(rule *rule) []smtp.Path {
	var list []smtp.Path
	if s.cut && rule.all && !rule.isProvider {
		return nil // some of them are not there
	}
	for f := range s.all(rule.field, !rule.isProvider) {
		list = append(list, s.applyTo(rule, f.value)...)
		if !rule.all && len(list) > 0 || len(list) > s.maxRecipients {
			break
		}
	}
	return list
}

// applyTo returns the recipients of one rule by one field.
func (s *search) applyTo(rule *rule, value []byte) []smtp.Path {
	value = mime.AppendUnfolded(nil, value)
	text, whole := decoded(value)
	if !whole && rule.all && rule.regexp != nil {
		return nil // some of them are not in it
	}
	var list []smtp.Path
	if rule.glob != nil {
		matched, ok := s.matching(rule, value, text)
		if !ok {
			return nil
		}
		if len(rule.to) == 0 {
			return matched
		}
	}
	matches := [][]int{nil}
	if rule.regexp != nil {
		limit := 1
		if rule.all {
			limit = s.maxRecipients + 1
		}
		matches = rule.regexp.FindAllStringSubmatchIndex(text, limit)
	}
	for _, m := range matches {
		for i := range rule.to {
			t := &rule.to[i]
			if p, ok := t.address(rule.regexp, text, m); ok && (t.free || s.isOurs(p)) {
				list = append(list, p)
			}
		}
	}
	return list
}

// decoded is the text of a field, as far as rules look at it: whole words.
func decoded(value []byte) (text string, whole bool) {
	if len(value) <= maxText {
		return mimetext.DecodeWords(value), true
	}
	return mimetext.DecodeWords(value[:max(bytes.LastIndexAny(value[:maxText], " ,\t"), 0)]), false
}

// matching reports whether Rule.Match is there, and which addresses match that
// may be recipients.
func (s *search) matching(rule *rule, value []byte, text string) (list []smtp.Path, ok bool) {
	if !rule.isAddress {
		if rule.field == "list-id" {
			text = listID(text)
		}
		return nil, rule.glob.MatchString(text)
	}
	for p := range addresses(value) {
		if !rule.glob.MatchString(mailaddr.Address(p)) {
			continue
		}
		ok = true
		if len(rule.to) == 0 && s.isOurs(p) && (rule.all || len(list) == 0) && len(list) <= s.maxRecipients {
			list = append(list, p)
		}
	}
	return list, ok
}

// listID is what stands in the angle brackets, without the white space that
// somebody put there (RFC 2919 §3); or all of it.
func listID(text string) string {
	if open := strings.LastIndexByte(text, '<'); open >= 0 {
		if id, _, ok := strings.Cut(text[open+1:], ">"); ok {
			return strings.Join(strings.Fields(id), "")
		}
	}
	return text
}
