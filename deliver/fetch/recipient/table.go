package recipient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// Row maps an address, or several.
type Row struct {
	// From is an address (also with a sub-address, which is kept), a domain, the
	// domains below one (".example.org"), or a regular expression between slashes
	// (RE2) that has to match the whole address in lower case, its domain in
	// U-labels: `/(.*)\.(.*)@old\.example/`.
	From string

	// To is an address, or a domain, which keeps the local-part; behind a regular
	// expression an address that may have captures: "${2}.${1}@example.org".
	To string
}

// Table is a Map of rows. The row of the address counts, then that of the address
// without its sub-address, of the domain, of the nearest domain above it, else the
// first regular expression that matches. What a row returns is not mapped again.
// It does not change, and any number of goroutines may use it.
type Table struct {
	rows      map[string]smtp.Path // Local "" = keep
	regexps   []regexpRow
	separator string
}

type regexpRow struct {
	re *regexp.Regexp
	to template
}

var errTwice = errors.New("another row has the same")

// NewTable makes a Table. separator splits a sub-address from the user; "" =
// "+", "none" = not. The error lists all faults.
func NewTable(rows []Row, separator string) (*Table, error) {
	t := &Table{rows: make(map[string]smtp.Path, len(rows)), separator: cmp.Or(separator, "+")}
	var faults []error
	for i, row := range rows {
		if err := t.add(row); err != nil {
			faults = append(faults, fmt.Errorf("recipient: map row %d: %w", i+1, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Table) add(row Row) error {
	if text, ok := cutSlashes(row.From); ok {
		return t.addRegexp(text, row.To)
	}
	from, err := mailaddr.ParsePattern(row.From, false)
	if err != nil {
		return fmt.Errorf("%q: %w", row.From, err)
	}
	if from == mailaddr.Everybody {
		return fmt.Errorf("%q takes addresses of everybody", row.From)
	}
	if _, ok := t.rows[from]; ok {
		return fmt.Errorf("%q: %w", row.From, errTwice)
	}
	text := strings.TrimPrefix(row.To, "@")
	if keep := !strings.Contains(text, "@"); keep {
		p, err := smtp.ParseMailbox("x@"+text, true)
		t.rows[from] = smtp.Path{Domain: p.Domain}
		return err
	}
	t.rows[from], err = smtp.ParseMailbox(text, true)
	return err
}

func cutSlashes(s string) (string, bool) {
	if len(s) < 2 || s[0] != '/' || s[len(s)-1] != '/' {
		return "", false
	}
	return s[1 : len(s)-1], true
}

func (t *Table) addRegexp(text, to string) error {
	if len(text) > maxPattern {
		return fmt.Errorf("a pattern of more than %d octets", maxPattern)
	}
	re, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return err
	}
	tmpl, err := newTemplate(to, re)
	if err != nil {
		return fmt.Errorf("To %q: %w", to, err)
	}
	t.regexps = append(t.regexps, regexpRow{re, tmpl})
	return nil
}

// Map implements Map. A regular expression that makes no address of a match is
// passed over.
func (t *Table) Map(_ context.Context, p smtp.Path) (smtp.Path, bool, error) {
	address := ""
	for pattern := range mailaddr.Patterns(p, t.separator) {
		if address == "" {
			address = pattern // the whole address comes first
		}
		to, ok := t.rows[pattern]
		switch {
		case !ok:
			continue
		case to.Local == "":
			return smtp.Path{Local: p.Local, Domain: to.Domain}, true, nil
		case pattern != address && strings.Contains(pattern, "@"):
			_, tag, _ := strings.Cut(p.Local, t.separator)
			to.Local += t.separator + tag
		}
		return to, true, nil
	}
	for i := range t.regexps {
		r := &t.regexps[i]
		if m := r.re.FindStringSubmatchIndex(address); m != nil {
			if to, ok := r.address(address, m); ok {
				return to, true, nil
			}
		}
	}
	return p, false, nil
}

// address is what a row makes of an address without quotes.
func (r *regexpRow) address(from string, match []int) (smtp.Path, bool) {
	if r.to.fixed {
		return r.to.path, true
	}
	out, ok := r.to.expand(r.re, from, match)
	at := strings.LastIndexByte(out, '@')
	if !ok || at < 0 {
		return smtp.Path{}, false
	}
	return check(smtp.Path{Local: out[:at], Domain: out[at+1:]})
}
