package foreign

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// destination reads [destination], and the sections that it names.
func (c *getmail) destination() error {
	s := c.ini.section("destination")
	if s == nil {
		return c.fault(1, "no section [destination]")
	}
	switch kind := s.get("type"); kind {
	case "MultiDestination":
		return c.several(s)
	case "MultiSorter", "MultiGuesser":
		return c.sorted(s, kind)
	}
	target, user, ok := c.single(s)
	if !ok {
		c.notice(s.line, "[destination] is left out: type %s has no counterpart, the default target takes the mail", s.get("type"))
	}
	c.src.Target = target
	c.recipients(s.line, cmp.Or(user, c.src.User))
	return nil
}

// single makes a target of a destination that delivers by itself. user is whose
// it is, "" where that is not said.
func (c *getmail) single(s *iniSection) (target, user string, ok bool) {
	user = s.get("user")
	switch s.get("type") {
	case "Maildir", "Mboxrd":
		c.others(s, fileReasons)
		return c.fileTarget(s.line, s.get("path"), user)
	case "MDA_external":
		c.others(s, programReasons)
		file := s.get("path")
		var args []string
		if v := s.find("arguments"); v != nil {
			if args, ok = c.list(v); !ok {
				return "", user, false
			}
		}
		if !strings.HasPrefix(file, "/") || strings.Contains(file, "$") {
			return "", user, false
		}
		t := settings.Target{Type: "program", Command: []string{file}}
		for _, a := range args {
			t.Command = append(t.Command, getmailMacros(a))
		}
		if user != "" {
			c.notice(s.line, "user is left out: set run-as = \"UID:GID\" of %s", user)
		}
		return c.target(t), user, true
	case "MDA_lmtp":
		c.others(s, lmtpReasons)
		host := s.get("host")
		t := settings.Target{Type: "lmtp", Address: host}
		port := int64(2003) // that of Python's smtplib
		if v := s.find("port"); v != nil {
			if port, ok = c.integer(v); !ok {
				return "", user, false
			}
		}
		if !strings.HasPrefix(host, "/") {
			t.Address = net.JoinHostPort(host, strconv.FormatInt(port, 10))
		}
		if v := s.find("fallback"); v != nil {
			c.notice(v.line, "fallback is left out: what the target refuses for good goes to quarantine")
		}
		return c.target(t), s.get("override"), true
	}
	return "", user, false
}

// What of destinations is left out, and why; "" = it is read, or there is nothing
// to say.
var (
	fileReasons = map[string]string{
		"type": "", "path": "", "user": "", "filemode": "the target makes files of its own mode", "locktype": "the target locks in its own way",
	}
	programReasons = map[string]string{
		"type": "", "path": "", "arguments": "", "user": "", "group": "set run-as", "allow_root_commands": "run-as says who runs it",
		"unixfrom": "no From line stands in front of a message", "ignore_stderr": "the exit code decides alone", "pipe_stdout": "the exit code decides alone",
	}
	lmtpReasons = map[string]string{"type": "", "host": "", "port": "", "override": "", "fallback": ""}
)

// others says what of a destination is left out.
func (c *getmail) others(s *iniSection, reasons map[string]string) {
	for i := range s.values {
		v := &s.values[i]
		switch v.name {
		case "allow_root_commands", "unixfrom", "ignore_stderr", "pipe_stdout":
			c.truth(v)
		}
		reason, known := reasons[v.name]
		if !known {
			reason = "it is not known"
		}
		if reason != "" {
			c.notice(v.line, "%s is left out: %s", v.name, reason)
		}
	}
}

// getmailMacros turns getmail's into those of deliver/pipe.
func getmailMacros(arg string) string {
	arg = strings.ReplaceAll(arg, "$", "$$")
	return strings.NewReplacer("%(sender)", "${sender}", "%(recipient)", "${recipient}", "%(local)", "${mailbox}",
		"%(domain)", "${domain}", "%(mailbox)", "", "%%", "%").Replace(arg)
}

// fileTarget makes one of the path of a Maildir or mbox file. Homes and
// variables are of the user who ran getmail, and not known.
func (c *getmail) fileTarget(line int, file, user string) (target, owner string, ok bool) {
	maildir := strings.HasSuffix(file, "/")
	kind := map[bool]string{true: "maildir", false: "mbox"}[maildir]
	if home, isHome := strings.CutPrefix(file, "~"); isHome {
		name, rest, _ := strings.Cut(home, "/")
		if name = cmp.Or(name, user); name == "" {
			c.notice(line, "%s: whose home it is does not stand in the file: the target is left out", file)
			return "", user, false
		}
		file, user = "/home/"+name+"/"+rest, cmp.Or(user, name)
		c.notice(line, "the home of %s is taken to be /home/%s", name, name)
	}
	if !strings.HasPrefix(file, "/") || strings.Contains(file, "$") {
		c.notice(line, "%s is no whole path: the target is left out", file)
		return "", user, false
	}
	file = path.Clean(file)
	if maildir {
		file += "/"
	}
	if user != "" {
		c.notice(line, "files are made with the owner of the connector, not of %s", user)
	}
	return c.target(settings.Target{Type: kind, Path: file}), user, true
}

// named makes a target of "[section]", or of a path.
func (c *getmail) named(line int, name string) (target, user string, ok bool) {
	if section, isName := strings.CutPrefix(name, "["); isName {
		s := c.ini.section(strings.TrimSuffix(section, "]"))
		if s == nil {
			c.notice(line, "there is no section %s", name)
			return "", "", false
		}
		target, user, ok = c.single(s)
		if !ok {
			c.notice(s.line, "%s is left out: type %s has no counterpart", name, s.get("type"))
		}
		return target, user, ok
	}
	return c.fileTarget(line, name, "")
}

// owner is whose destination "[section]" or a path is; "" = it does not say.
func (c *getmail) owner(name string) string {
	if section, isName := strings.CutPrefix(name, "["); isName {
		s := c.ini.section(strings.TrimSuffix(section, "]"))
		if s.get("type") == "MDA_lmtp" {
			return s.get("override")
		}
		if user := s.get("user"); user != "" {
			return user
		}
		name = s.get("path")
	}
	home, isHome := strings.CutPrefix(name, "~")
	if !isHome {
		return ""
	}
	user, _, _ := strings.Cut(home, "/")
	return user
}

// several reads MultiDestination: the first destination is the target.
func (c *getmail) several(s *iniSection) error {
	list, isTuple := parseTuple(s.get("destinations"))
	names, ok := list.strings()
	if !isTuple || !ok || len(names) == 0 {
		return c.fault(s.line, "want destinations, a list in parentheses")
	}
	target, user, _ := c.named(s.line, names[0])
	c.src.Target = target
	for _, name := range names[1:] {
		c.notice(s.line, "destination %s is left out: a source has one target", name)
	}
	c.recipients(s.line, cmp.Or(user, c.src.User))
	return nil
}

// sorted reads MultiSorter and MultiGuesser: patterns become rules that name a
// user, and destinations that differ are left to whoever knows the users.
func (c *getmail) sorted(s *iniSection, kind string) error {
	pairs, ok := parseTuple(s.get("locals"))
	if !ok {
		return c.fault(s.line, "want locals, a list of pairs in parentheses")
	}
	target, user, _ := c.named(s.line, s.get("default"))
	c.src.Target = target
	sorter := c.multidrop
	c.multidrop = true
	c.recipients(s.line, user)
	a := c.src.CatchAll
	fields := []string{"To", "Cc"}
	if sorter && a.Field != "" {
		name, _, _ := strings.Cut(a.Field, ":")
		fields = []string{name}
		a.Steps = []string{"rules", "default"}
	}
	for _, pair := range pairs {
		if len(pair.inner) != 2 || !pair.inner[0].isString() || !pair.inner[1].isString() {
			return c.fault(s.line, "want pairs in locals")
		}
		pattern, name := pair.inner[0].text, pair.inner[1].text
		owner := c.owner(name)
		if owner == "" {
			c.notice(s.line, "the pattern for %s is left out: whose mail it is does not stand in the file", name)
			continue
		}
		for _, f := range fields {
			rule, err := sorterRule(owner, pattern, c.address(s.line, owner, ""))
			if err != nil {
				c.notice(s.line, "the pattern for %s is left out: %v", name, err)
				break
			}
			rule.Field, rule.Trusted = f, sorter
			a.Rules = append(a.Rules, rule)
		}
	}
	if user != "" {
		a.Default = []string{c.address(s.line, user, "")}
	}
	c.notice(s.line, "%s: the patterns became rules for addresses; all of them go to one target, which delivers by address", kind)
	return nil
}

// noEnvelope are the fields that getmail refuses.
var noEnvelope = []string{"to", "cc", "bcc", "received", "resent-to", "resent-cc", "resent-bcc"}

// recipients sets who gets the mail. to is the address that a destination
// implies.
func (c *getmail) recipients(line int, to string) {
	if !c.multidrop {
		c.src.Recipient = c.address(line, to, "")
		return
	}
	s := c.ini.section("retriever")
	v := s.find("envelope_recipient")
	c.src.CatchAll = &settings.CatchAll{}
	if c.options.Domain == "" {
		c.notice(s.line, "the domains of the catch-all are not in the file: set accept, or give --domain")
	} else {
		c.src.CatchAll.Accept = []string{c.options.Domain}
	}
	if v == nil || !c.envelope {
		return
	}
	name, index, isNumbered := strings.Cut(v.value, ":")
	n, ok := parseInteger(index)
	if !isNumbered {
		n, ok = 1, true
	}
	if !ok || n < 1 {
		c.notice(v.line, "envelope_recipient is left out: want NAME or NAME:INDEX")
		return
	}
	if slices.Contains(noEnvelope, strings.ToLower(name)) {
		c.notice(v.line, "envelope_recipient is left out: %s is of the sender", name)
		return
	}
	c.src.CatchAll.Field = fmt.Sprintf("%s:%d", strings.TrimSpace(name), n)
}

// sorterRule makes a rule of a pattern of MultiSorter or MultiGuesser.
func sorterRule(name, pattern, to string) (settings.Rule, error) {
	if _, err := regexp.Compile(pattern); err != nil {
		return settings.Rule{}, errors.New("it is no regular expression in the syntax of RE2")
	}
	return settings.Rule{Name: name, Regexp: "(?i)" + pattern, To: []string{to}, All: true, Continue: true}, nil
}
