package submission

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/idna"

	"github.com/mailstead/mailstead/smtp"
)

// Map says which address stands for another. Any number of goroutines may use
// one.
type Map interface {
	// Map returns what takes the place of an address; ok false = nothing. An
	// error defers the message.
	Map(ctx context.Context, address smtp.Path) (to smtp.Path, ok bool, err error)
}

// Maps are asked one after the other, each about what the one before returned.
type Maps []Map

// Map implements Map.
func (ms Maps) Map(ctx context.Context, p smtp.Path) (smtp.Path, bool, error) {
	changed := false
	for _, m := range ms {
		to, ok, err := m.Map(ctx, p)
		if err != nil {
			return smtp.Path{}, false, err
		}
		if ok {
			p, changed = to, true
		}
	}
	return p, changed, nil
}

// Table is a Map of addresses, as in a canonical map. Keys are compared without
// case. They are looked for in this order, and the first that is there counts:
//
//	user+tag@example.org   this address
//	user@example.org       with another sub-address; the result keeps it
//	user                   at any domain
//	@example.org           the whole domain
//
// A value is an address; "@domain" keeps the local-part. The zero value maps
// nothing.
type Table struct {
	// Separator splits off a sub-address (RFC 5233 §4); "" = "+", "none" = not.
	Separator string

	m map[string]smtp.Path // Local "" = keep
}

// ParseTable reads a Table: lines with a key, white space and a value; what
// begins with "#" and empty lines are passed over. An error names the line.
func ParseTable(r io.Reader) (*Table, error) {
	t := new(Table)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		words := strings.Fields(line)
		if len(words) != 2 {
			return nil, fmt.Errorf("submission: line %d: want a key and a value", n)
		}
		if err := t.Set(words[0], words[1]); err != nil {
			return nil, fmt.Errorf("submission: line %d: %w", n, err)
		}
	}
	return t, lines.Err()
}

// Set adds an entry. It must not be called once the Table is in use.
func (t *Table) Set(key, value string) error {
	if i := strings.LastIndexByte(key, '@'); i >= 0 && key[i+1:] == "" || key == "" {
		return fmt.Errorf("submission: %q is no address, user or @domain", key)
	}
	whole := value
	if strings.HasPrefix(value, "@") {
		whole = "x" + value
	}
	p, err := smtp.ParseMailbox(whole, true)
	if err != nil {
		return fmt.Errorf("submission: value for %q: %w", key, err)
	}
	if whole != value {
		p.Local = ""
	}
	if t.m == nil {
		t.m = make(map[string]smtp.Path)
	}
	if i := strings.LastIndexByte(key, '@'); i >= 0 {
		t.m[fold(smtp.Path{Local: key[:i], Domain: key[i+1:]})] = p
	} else {
		t.m[strings.ToLower(key)] = p
	}
	return nil
}

// fold is the form in which addresses are compared.
func fold(p smtp.Path) string { return strings.ToLower(p.Local) + "@" + foldDomain(p.Domain) }

func foldDomain(d string) string {
	d = strings.ToLower(strings.TrimSuffix(d, "."))
	if u, err := idna.Lookup.ToUnicode(d); err == nil && d != "" && d[0] != '[' {
		return u
	}
	return d
}

// Map implements Map.
func (t *Table) Map(_ context.Context, p smtp.Path) (smtp.Path, bool, error) {
	if to, ok := t.m[fold(p)]; ok {
		return keep(to, p.Local), true, nil
	}
	separator := t.Separator
	if separator == "" {
		separator = "+"
	}
	user, tag, tagged := strings.Cut(p.Local, separator)
	if tagged = tagged && user != "" && separator != "none"; tagged {
		if to, ok := t.m[fold(smtp.Path{Local: user, Domain: p.Domain})]; ok {
			return withTag(keep(to, user), separator, tag), true, nil
		}
	} else {
		user = p.Local
	}
	if to, ok := t.m[strings.ToLower(user)]; ok {
		if to = keep(to, user); tagged {
			to = withTag(to, separator, tag)
		}
		return to, true, nil
	}
	if to, ok := t.m[fold(smtp.Path{Domain: p.Domain})]; ok {
		return keep(to, p.Local), true, nil
	}
	return p, false, nil
}

// keep gives a value without a local-part that of the address.
func keep(to smtp.Path, local string) smtp.Path {
	if to.Local == "" {
		to.Local = local
	}
	return to
}

func withTag(p smtp.Path, separator, tag string) smtp.Path {
	p.Local += separator + tag
	return p
}

// Masquerade hides the hosts of a domain: alice@host.example.org becomes
// alice@example.org.
type Masquerade struct {
	// Domains are the domains that remain visible; of several the first one
	// counts in which an address lies. "!host.example.org" leaves that domain,
	// and those below it, as they are.
	Domains []string

	// Except are local-parts that keep their host, in any case: "root".
	Except []string
}

// Map implements Map.
func (m *Masquerade) Map(_ context.Context, p smtp.Path) (smtp.Path, bool, error) {
	for _, user := range m.Except {
		if strings.EqualFold(user, p.Local) {
			return p, false, nil
		}
	}
	domain := foldDomain(p.Domain)
	for _, d := range m.Domains {
		name, except := strings.CutPrefix(d, "!")
		name = foldDomain(name)
		if domain != name && !strings.HasSuffix(domain, "."+name) {
			continue
		}
		if except || domain == name {
			return p, false, nil
		}
		p.Domain = strings.TrimSuffix(strings.TrimPrefix(d, "!"), ".")
		return p, true, nil
	}
	return p, false, nil
}

// RewriteSender returns a middleware that maps the reverse-path. It stands
// behind what judges it (smtppolicy.SenderLogin).
func RewriteSender(m Map) smtp.Middleware {
	return func(next smtp.Receiver) smtp.Receiver { return &senderRewriter{m, next} }
}

type senderRewriter struct {
	m    Map
	next smtp.Receiver
}

// Begin implements smtp.Receiver.
func (r *senderRewriter) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	if m.ReversePath.IsNull() {
		return r.next.Begin(ctx, m)
	}
	to, ok, err := r.m.Map(ctx, m.ReversePath.Path)
	if err != nil {
		return nil, notNow(err)
	}
	if ok {
		mapped := *m
		mapped.ReversePath = smtp.ReversePath{Path: to}
		m = &mapped
	}
	return r.next.Begin(ctx, m)
}
