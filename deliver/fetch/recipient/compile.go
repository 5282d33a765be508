package recipient

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/smtp"
)

// maxName is the octets of the longest field name.
const maxName = 76

// The faults of a Config that have no text of their own.
var (
	errNoAccept = errors.New("recipient: Accept is empty, so that no address in a header can be a recipient")
	errToAndAll = errors.New("recipient: To is a personal mailbox, Steps are those of one of several people")
	errName     = errors.New("not a field name")
	errStep     = errors.New("no such step, or twice")
)

// compiler makes a Resolver, and gathers what is wrong.
type compiler struct {
	*Resolver
	faults []error
}

// New makes a Resolver. The error lists all faults of c.
func New(c Config) (*Resolver, error) {
	r := &compiler{Resolver: &Resolver{c: c, names: map[string]string{}}}
	r.separator = cmp.Or(c.Separator, "+")
	r.maxHeader = cmp.Or(c.MaxHeader, defaultMaxHeader)
	r.maxRecipients = cmp.Or(c.MaxRecipients, defaultMaxRecipients)
	if r.maxHeader < 0 || r.maxRecipients < 0 {
		r.faults = append(r.faults, errors.New("recipient: MaxHeader or MaxRecipients is negative"))
	}
	r.patterns()
	if c.To != nil {
		r.personal()
	} else {
		r.shared()
	}
	if err := errors.Join(r.faults...); err != nil {
		return nil, err
	}
	return r.Resolver, nil
}

func (r *compiler) fault(what string, n int, err error) {
	if err != nil {
		r.faults = append(r.faults, fmt.Errorf("recipient: %s %d: %w", what, n+1, err))
	}
}

// patterns reads what is the same for all steps.
func (r *compiler) patterns() {
	var faults []error
	r.accept, faults = newSet(r.c.Accept, r.separator, "Accept")
	r.faults = append(r.faults, faults...)
	r.own, faults = newSet(r.c.Own, r.separator, "Own")
	r.faults = append(r.faults, faults...)
	r.strip = slices.Clone(r.c.Strip)
	slices.SortFunc(r.strip, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for i, host := range r.c.Trust.Hosts {
		if strings.Trim(host, ".") == "" || strings.ContainsAny(host, " @*") {
			r.fault("Trust.Hosts", i, fmt.Errorf("%q is no host", host))
		}
		r.hosts = append(r.hosts, mailaddr.Domain(host))
	}
	r.wantedName("received")
}

// personal is a mailbox of fixed recipients.
func (r *compiler) personal() {
	if r.c.Steps != nil {
		r.faults = append(r.faults, errToAndAll)
	}
	r.steps = []Step{StepFixed}
	r.defaults = r.list(r.c.To, "To")
	if len(r.defaults) == 0 {
		r.faults = append(r.faults, errors.New("recipient: To is empty"))
	}
}

// shared is a mailbox of several people.
func (r *compiler) shared() {
	steps := r.c.Steps
	if steps == nil {
		steps = DefaultSteps()
	}
	reads := false
	for i, step := range steps {
		if !slices.Contains(DefaultSteps(), step) || slices.Contains(steps[:i], step) {
			r.fault("Steps", i, fmt.Errorf("%w: %q", errStep, step))
		}
		reads = reads || step != StepDefault && step != StepRules
		if step != StepField || r.c.Field.Name != "" {
			r.steps = append(r.steps, step)
		}
	}
	if reads && len(r.c.Accept) == 0 {
		r.faults = append(r.faults, errNoAccept)
	}
	r.defaults = r.list(r.c.Default, "Default")
	r.fields()
	for i := range r.c.Rules {
		compiled, err := r.rule(&r.c.Rules[i], i)
		r.fault("rule", i, err)
		r.rules = append(r.rules, compiled)
	}
}

// fields reads the names of fields.
func (r *compiler) fields() {
	if r.c.Field.Name != "" {
		r.c.Field.Name = r.field("Field", 0, r.c.Field.Name)
	}
	r.envelope = slices.Clone(r.c.Envelope)
	if r.c.Envelope == nil {
		r.envelope = DefaultEnvelope()
	}
	for i := range r.envelope {
		r.envelope[i].Name = r.field("Envelope", i, r.envelope[i].Name)
	}
	address := r.c.Address
	if address == nil {
		address = DefaultAddress()
	}
	for i, name := range address {
		r.address = append(r.address, r.field("Address", i, name))
	}
}

// field is a field name in lower case, which is looked for from now on.
func (r *compiler) field(what string, n int, name string) string {
	lower, err := fieldName(name)
	r.fault(what, n, err)
	r.wantedName(lower)
	return lower
}

func (r *compiler) wantedName(lower string) { r.names[lower] = lower }

// fieldName is the name of a field in lower case (RFC 5322 §2.2).
func fieldName(name string) (string, error) {
	bad := func(c rune) bool { return c <= ' ' || c >= 0x7f || c == ':' }
	if name == "" || len(name) > maxName || strings.ContainsFunc(name, bad) {
		return "", fmt.Errorf("%w: %q", errName, name)
	}
	return strings.ToLower(name), nil
}

// list reads addresses of the configuration.
func (r *compiler) list(texts []string, what string) []smtp.Path {
	list := make([]smtp.Path, len(texts))
	for i, text := range texts {
		var err error
		if list[i], err = smtp.ParseMailbox(text, true); err != nil {
			r.fault(what, i, fmt.Errorf("%q: %w", text, err))
		}
	}
	return list
}
