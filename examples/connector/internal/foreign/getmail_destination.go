package foreign

import (
	"cmp"
	"net"
	"path"
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
		return c.fileTarget(s.line, s.get("path"), user)
	case "MDA_external":
		args, isTuple := parseTuple(cmp.Or(s.get("arguments"), "()"))
		file := s.get("path")
		if !isTuple || !strings.HasPrefix(file, "/") {
			return "", user, false
		}
		t := settings.Target{Type: "program", Command: []string{file}}
		for _, a := range args.strings() {
			t.Command = append(t.Command, getmailMacros(a))
		}
		if user != "" {
			c.notice(s.line, "user is left out: set run-as = \"UID:GID\" of %s", user)
		}
		return c.target(t), user, true
	case "MDA_lmtp":
		host := s.get("host")
		t := settings.Target{Type: "lmtp", Address: host}
		if !strings.HasPrefix(host, "/") {
			t.Address = net.JoinHostPort(host, cmp.Or(s.get("port"), "24"))
		}
		if v := s.find("fallback"); v != nil {
			c.notice(v.line, "fallback is left out: what the target refuses for good goes to quarantine")
		}
		return c.target(t), cmp.Or(s.get("override"), user), true
	}
	return "", user, false
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
		return c.single(s)
	}
	return c.fileTarget(line, name, "")
}

// owner is whose destination "[section]" or a path is; "" = it does not say.
func (c *getmail) owner(name string) string {
	if section, isName := strings.CutPrefix(name, "["); isName {
		s := c.ini.section(strings.TrimSuffix(section, "]"))
		if user := cmp.Or(s.get("override"), s.get("user")); user != "" {
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
	list, ok := parseTuple(s.get("destinations"))
	if !ok || len(list.strings()) == 0 {
		return c.fault(s.line, "want destinations, a list in parentheses")
	}
	names := list.strings()
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
	pairs, ok := parseTuple(cmp.Or(s.get("locals"), "()"))
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
		if len(pair.inner) != 2 {
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
