package settings

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// The defaults.
const (
	DefaultData     = "./connector-data"
	DefaultEvery    = "5m"
	DefaultSessions = 20
	DefaultPerHost  = 4
)

// StoreTarget is the target of a file that names none: the store in the data
// directory.
const StoreTarget = "store"

func (s *Settings) defaults() {
	s.Data = cmp.Or(s.Data, DefaultData)
	s.Every = cmp.Or(s.Every, DefaultEvery)
	s.HTTP = cmp.Or(s.HTTP, "off")
	s.Limits.Sessions = cmp.Or(s.Limits.Sessions, DefaultSessions)
	s.Limits.SessionsPerHost = cmp.Or(s.Limits.SessionsPerHost, DefaultPerHost)
	if s.Hostname == "" {
		s.Hostname, _ = os.Hostname()
	}
	if len(s.Targets) == 0 {
		s.Targets = map[string]*Target{StoreTarget: {Type: "store"}}
	}
	if s.Target == "" && len(s.Targets) == 1 {
		for name := range s.Targets {
			s.Target = name
		}
	}
	for _, src := range s.Sources {
		src.defaults(s)
	}
}

func (src *Source) defaults(s *Settings) {
	src.Every = cmp.Or(src.Every, s.Every)
	src.Target = cmp.Or(src.Target, s.Target)
	src.TLS = cmp.Or(src.TLS, map[bool]string{true: "implicit", false: "starttls"}[strings.HasSuffix(src.Protocol, "s")])
	if src.Port == 0 {
		src.Port = map[string]int{"pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993}[src.Protocol]
	}
	if len(src.Folders) == 0 && src.IsIMAP() {
		src.Folders = []string{"INBOX"}
	}
}

// IsIMAP reports whether the protocol is IMAP.
func (src *Source) IsIMAP() bool { return src.Protocol == "imap" || src.Protocol == "imaps" }

// checker collects faults.
type checker struct {
	s      *Settings
	faults Faults
}

// fault adds one of the key; the line is that of the key or of the table
// around it.
func (c *checker) fault(key, format string, args ...any) {
	line := 0
	for path := key; path != ""; {
		if l, ok := c.s.positions[path]; ok {
			line = l
			break
		}
		if cut := strings.LastIndexAny(path, ".["); cut > 0 {
			path = path[:cut]
			continue
		}
		break
	}
	c.faults = append(c.faults, &Fault{c.s.file, line, key, fmt.Sprintf(format, args...)})
}

// wrap adds err where it is one.
func (c *checker) wrap(key string, err error) {
	if err != nil {
		c.fault(key, "%v", err)
	}
}

// check says all that is wrong.
func (s *Settings) check() Faults {
	c := &checker{s: s}
	if _, plain := s.positions["source"]; plain {
		c.fault("source", "want [[source]], since there may be several")
	}
	c.global()
	queues := 0
	for _, name := range slices.Sorted(maps.Keys(s.Targets)) {
		c.target("targets."+name, s.Targets[name])
		if s.Targets[name].Type == "queue" {
			if queues++; queues > 1 {
				c.fault("targets."+name+".type", "a second target is a queue, and there is one queue only")
			}
		}
	}
	for name, o := range s.OAuth {
		c.oauth("oauth."+name, &o)
	}
	c.mapping()
	c.switchOver(s.SwitchOver)
	names := make(map[string]bool)
	for i, src := range s.Sources {
		key := "source" + index(i)
		if names[src.Name] {
			c.fault(key+".name", "a second source has the name %q", src.Name)
		}
		names[src.Name] = true
		c.source(key, src)
	}
	slices.SortStableFunc(c.faults, func(a, b *Fault) int { return cmp.Or(a.Line-b.Line, strings.Compare(a.Key, b.Key)) })
	return c.faults
}

func (c *checker) global() {
	s := c.s
	if s.HTTP != "off" {
		c.address("http", s.HTTP)
	}
	c.duration("every", s.Every)
	if _, err := smtp.ParseMailbox("postmaster@"+s.Hostname, true); err != nil {
		c.fault("hostname", "%q is not a host name", s.Hostname)
	}
	c.limits("limits", s.Limits)
	for host, l := range s.Hosts {
		key := "host." + host
		c.limits(key, l)
		if l.SessionsPerHost != 0 {
			c.fault(key+".sessions-per-host", "unknown name: here it is sessions")
		}
	}
	if s.Target != "" {
		c.targetName("target", s.Target)
	}
	if a := s.Quarantine.Account; a != "" {
		c.mailbox("quarantine.account", a)
	}
}

func (c *checker) limits(key string, l Limits) {
	if l.Sessions < 0 {
		c.fault(key+".sessions", "want a number from 1")
	}
	if l.SessionsPerHost < 0 {
		c.fault(key+".sessions-per-host", "want a number from 1")
	}
}

func (c *checker) duration(key, text string) {
	if text != "" {
		d, err := ParseDuration(text)
		c.wrap(key, err)
		if err == nil && d <= 0 {
			c.fault(key, "want a time above zero")
		}
	}
}

func (c *checker) size(key, text string) {
	if text != "" {
		_, err := ParseSize(text)
		c.wrap(key, err)
	}
}

// address checks host:port.
func (c *checker) address(key, text string) {
	host, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || host == "" || port == "" {
		c.fault(key, "%q is not HOST:PORT", text)
	}
}

func (c *checker) mailbox(key, text string) {
	if _, err := smtp.ParseMailbox(text, true); err != nil {
		c.fault(key, "%q is not a whole address", text)
	}
}

func (c *checker) targetName(key, name string) {
	switch {
	case name == "" && len(c.s.Targets) > 1:
		c.fault(key, "there are several targets: name one")
	case c.s.Targets[name] == nil:
		c.fault(key, "there is no [targets.%s]", name)
	}
}

func (c *checker) oneOf(key, value string, values ...string) {
	if !slices.Contains(values, value) {
		c.fault(key, "%q is none of %s", value, strings.Join(values, ", "))
	}
}

// file checks that a file can be read.
func (c *checker) file(key, name string) {
	if name != "" {
		f, err := os.Open(name)
		c.wrap(key, err)
		if err == nil {
			f.Close()
		}
	}
}
