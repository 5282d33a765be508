// Package foreign reads the configuration files of other collectors of mail:
// fetchmail's, getmail's, and tables of mailboxes. What it cannot carry over it
// says, with file and line. Nothing that is said holds a password.
package foreign

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// Result is what was read.
type Result struct {
	Settings *settings.Settings
	Notices  []Notice // each once
}

// Notice is about something that was not carried over, or not as it was.
type Notice struct {
	File string
	Line int
	Text string
}

// String is FILE:LINE: TEXT.
func (n Notice) String() string { return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text) }

// Error is a file that cannot be read as what it should be.
type Error Notice

// Error is FILE:LINE: TEXT.
func (e *Error) Error() string { return Notice(*e).String() }

// Options say what does not stand in the file.
type Options struct {
	// Domain completes local names that are no addresses; "" = as the file says.
	Domain string

	// Netrc is where passwords are looked up that the file does not have; nil =
	// nowhere.
	Netrc Netrc
}

// Importer reads files one after the other into one configuration. A file that
// fails leaves what was read of it.
type Importer struct {
	options Options
	file    string // that is read now
	out     *settings.Settings
	notices []Notice
	targets map[string]string // a target in words -> its name
	names   map[string]int
}

// NewImporter returns one that has read nothing.
func NewImporter(o Options) *Importer {
	return &Importer{
		options: o, targets: make(map[string]string), names: make(map[string]int),
		out: &settings.Settings{Targets: make(map[string]*settings.Target)},
	}
}

// Result is what was read so far.
func (b *Importer) Result() *Result { return &Result{b.out, b.notices} }

func (b *Importer) notice(line int, format string, args ...any) {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, fmt.Sprintf(format, args...))
	if n := (Notice{b.file, line, text}); !slices.Contains(b.notices, n) {
		b.notices = append(b.notices, n)
	}
}

// name is one that no source has yet.
func (b *Importer) name(user, host string) string {
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-", r) {
			return r
		}
		return '-'
	}, user+"@"+host)
	name = name[:min(len(name), 100)]
	key := strings.ToLower(name)
	b.names[key]++
	if n := b.names[key]; n > 1 {
		return b.name(fmt.Sprintf("%s-%d", user, n), host)
	}
	return name
}

// target is the name of a target like t.
func (b *Importer) target(t settings.Target) string {
	key := fmt.Sprintf("%q %q %q %q %q %q %q %q", t.Type, t.Address, t.User, string(t.Password), t.Path, t.Command, t.RunAs, t.TLS)
	if name, ok := b.targets[key]; ok {
		return name
	}
	name := t.Type
	for i := 2; b.out.Targets[name] != nil; i++ {
		name = fmt.Sprintf("%s-%d", t.Type, i)
	}
	b.targets[key], b.out.Targets[name] = name, &t
	return name
}

// address makes a whole address of a local name. fallback is the domain that the
// file implies.
func (b *Importer) address(line int, name, fallback string) string {
	if strings.Contains(name, "@") {
		return name
	}
	domain := b.options.Domain
	if domain == "" {
		domain = fallback
	}
	if domain == "" {
		domain = "localhost"
		b.notice(line, "%s is no whole address: --domain says in which domain local names are", name)
	}
	return name + "@" + domain
}
