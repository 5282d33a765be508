package foreign

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// build adds the source of a mailbox.
func (c *fetchmail) build(m *rcMailbox) {
	src := m.src
	src.Host, src.User = m.s.name, m.u.remote
	if m.via != "" {
		src.Host = m.via
	}
	if !c.protocol(m) {
		return
	}
	if !c.port(m) {
		return
	}
	c.tls(m)
	c.login(m)
	if m.interval > 1 {
		every := c.every
		if every == 0 {
			every = 5 * time.Minute
		}
		src.Every = settings.FormatDuration(time.Duration(m.interval) * every)
	}
	c.collecting(m)
	src.Name = c.name(src.User, m.s.name)
	domain := m.smtpaddress
	src.Target = c.delivery(m, &domain)
	c.recipients(m, domain)
	c.out.Sources = append(c.out.Sources, src)
}

// protocol chooses the protocol; false: there is none.
func (c *fetchmail) protocol(m *rcMailbox) bool {
	switch m.protocol {
	case "imap":
		m.src.Protocol = "imap"
	case "pop3", "apop", "rpop", "sdps":
		m.src.Protocol = "pop3"
		m.src.APOP = m.protocol == "apop"
		if m.protocol == "sdps" {
			c.notice(m.s.line, "sdps is left out: the envelope is looked for in header fields")
		}
	case "", "auto":
		m.src.Protocol = "imap"
		c.notice(m.s.line, "%s has no protocol: imap is taken", m.s.name)
	default:
		c.notice(m.s.line, "%s is left out: the protocol %q is not supported", m.s.name, m.protocol)
		return false
	}
	if m.ssl {
		m.src.Protocol += "s"
	}
	return true
}

// port reads the number or name of a service.
func (c *fetchmail) port(m *rcMailbox) bool {
	if m.service == "" {
		return true
	}
	known := map[string]int{"pop3": 110, "pop3s": 995, "imap": 143, "imap2": 143, "imaps": 993}
	n, err := strconv.Atoi(m.service)
	if err != nil {
		n = known[m.service]
	}
	if n < 1 || n > 65535 {
		c.notice(m.s.line, "%s is left out: %q is no port", m.s.name, m.service)
		return false
	}
	if n != known[m.src.Protocol] {
		m.src.Port = n
	}
	return true
}

func (c *fetchmail) tls(m *rcMailbox) {
	switch {
	case m.ssl:
	case m.sslSaid && m.sslproto == "", m.auth == "ssh":
		m.src.TLS = "none"
	case m.noCheck && !m.sslSaid:
		c.notice(m.line, "TLS was optional for %s, and is required now: tls = \"none\" goes without", m.s.name)
	}
	if strings.HasPrefix(m.sslproto, "tls1.3") {
		m.src.TLSMin = "1.3"
	}
	if strings.HasPrefix(m.sslproto, "ssl") || m.sslproto == "tls1" || m.sslproto == "tls1.1" {
		c.notice(m.line, "sslproto %s is left out: TLS 1.2 is the least", m.sslproto)
	}
	if m.noCheck && m.src.TLS != "none" {
		m.src.TLSInsecure = true
		c.notice(m.line, "no sslcertck becomes tls-insecure: anybody on the way can read the password of %s; tls-ca or tls-fingerprint is better", m.s.name)
	}
}

// login finds the password.
func (c *fetchmail) login(m *rcMailbox) {
	src := m.src
	switch m.auth {
	case "gssapi", "kerberos", "kerberos_v4", "kerberos_v5", "kerberos4", "kerberos5", "otp", "opie", "msn", "ntlm", "external":
		c.notice(m.s.line, "auth %s is left out: it is not supported", m.auth)
	case "oauthbearer", "xoauth2":
		src.Password = ""
		c.notice(m.s.line, "auth %s is left out: set oauth, and an [oauth.NAME]", m.auth)
	}
	if src.Password == "" {
		user, password, ok := c.options.Netrc.Find(src.User, m.s.name, src.Host)
		if ok {
			src.Password = settings.Literal(password)
		}
		if src.User == "" {
			src.User = user
		}
	}
	if src.User == "" {
		c.notice(m.line, "%s has no user, the one who runs fetchmail was meant: set user", m.s.name)
	}
	if src.Password == "" {
		c.notice(m.line, "there is no password for %s at %s: set one", src.User, m.s.name)
	}
}

// collecting sets what is collected, and what stays.
func (c *fetchmail) collecting(m *rcMailbox) {
	src := m.src
	if m.keep {
		src.Leave = "always"
		if src.IsIMAP() {
			c.notice(m.line, "keep: what is in the mailbox of %s now is collected once more", src.User)
		} else {
			c.notice(m.line, "keep: what is in the mailbox of %s now is collected once more, unless connector import-seen fetchids takes over the list of fetchmail (.fetchids)", src.User)
		}
		if !m.fetchall && src.IsIMAP() {
			c.notice(m.line, "without fetchall fetchmail passes over what has been read: here everything is collected, once")
		}
	}
	if src.IsIMAP() {
		if !slices.Equal(m.folders, []string{"INBOX"}) {
			src.Folders = m.folders
		}
		if m.idle {
			src.Idle = new(true)
		}
	} else if len(m.folders) > 0 {
		c.notice(m.line, "folder is left out: POP3 has none")
	}
	if m.limit > 0 {
		src.MaxMessageSize = strconv.FormatInt(m.limit, 10)
	}
	src.MaxMessages = int(m.fetchlimit)
}

// delivery makes the target. domain is that of local names; it is set where the
// target implies one.
func (c *fetchmail) delivery(m *rcMailbox, domain *string) string {
	if m.mda != nil {
		if command, ok := mdaCommand(m.mda.args[0]); ok {
			c.notice(m.mda.line, "the program of mda runs without a shell, and with the exit codes of sysexits.h")
			return c.target(settings.Target{Type: "program", Command: command})
		}
		c.notice(m.mda.line, "mda is left out: want a program with its whole path, without anything for a shell")
	}
	hosts := m.smtphost
	if len(hosts) == 0 {
		hosts = []string{"localhost"}
	}
	if len(hosts) > 1 {
		c.notice(m.smtpLine, "of the hosts of smtphost only the first is used")
	}
	t := settings.Target{Type: "smtp", User: m.esmtpname}
	if m.esmtppassword != "" {
		t.Password = settings.Literal(m.esmtppassword)
	}
	host, port, _ := strings.Cut(hosts[0], "/")
	switch {
	case host == "": // a path
		t.Type, t.Address = "lmtp", hosts[0]
		return c.target(t)
	case m.lmtp:
		t.Type = "lmtp"
		if port == "" {
			port = "24"
			c.notice(m.smtpLine, "LMTP has no usual port: 24 is taken")
		}
	case port == "":
		port = "25"
	}
	if port == "smtp" {
		port = "25"
	}
	t.Address = net.JoinHostPort(host, port)
	if *domain == "" && net.ParseIP(host) == nil {
		*domain = host
	}
	return c.target(t)
}

// mdaCommand splits a command line that needs no shell; %T and %s are the
// recipient, %F the sender, as macros of deliver/pipe.
func mdaCommand(text string) ([]string, bool) {
	words, ok := shellWords(text)
	if !ok || len(words) == 0 || !strings.HasPrefix(words[0], "/") {
		return nil, false
	}
	for i, w := range words {
		w = strings.ReplaceAll(w, "$", "$$")
		words[i] = strings.NewReplacer("%T", "${mailbox}", "%s", "${mailbox}", "%F", "${sender}", "%%", "%").Replace(w)
	}
	return words, true
}

// shellWords splits a line as a shell does where it has nothing else to do.
func shellWords(line string) (words []string, ok bool) {
	var word strings.Builder
	in := false // a word
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'' || c == '"':
			end := strings.IndexByte(line[i+1:], c)
			if end < 0 || c == '"' && strings.ContainsAny(line[i+1:i+1+end], "$`\\") {
				return nil, false
			}
			word.WriteString(line[i+1 : i+1+end])
			in, i = true, i+1+end
		case strings.IndexByte("|&;<>()$`\\*?[#~\n{}!", c) >= 0:
			return nil, false
		case c == ' ' || c == '\t':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			word.WriteByte(c)
			in = true
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words, true
}

// recipients sets who gets the mail: one local name makes a personal mailbox,
// several, pairs, or "*" one of many.
func (c *fetchmail) recipients(m *rcMailbox, domain string) {
	plain := len(m.locals) == 1 && !m.rest && m.locals[0].remote == m.locals[0].local
	switch {
	case m.smtpname != "":
		m.src.Recipient = c.address(m.line, m.smtpname, domain)
	case plain:
		m.src.Recipient = c.address(m.line, m.locals[0].local, domain)
	case len(m.locals) == 0 && !m.rest:
		m.src.Recipient = c.address(m.line, m.src.User, domain)
		c.notice(m.line, "no local name for %s: the name of the user is taken", m.src.User)
	default:
		c.multidrop(m, domain)
	}
}

// multidrop makes a catch-all.
func (c *fetchmail) multidrop(m *rcMailbox, domain string) {
	a := &settings.CatchAll{}
	if m.qvirtual != "" {
		a.Strip = []string{m.qvirtual}
	}
	hosts := []string{m.s.name}
	if m.via != "" {
		hosts = append(hosts, m.via)
	}
	hosts = append(hosts, m.aka...)
	for _, d := range append(slices.Clone(m.localdomains), m.aka...) {
		a.Accept = appendDomains(a.Accept, d, "."+d)
	}
	a.Accept = appendDomains(a.Accept, hosts...)
	switch {
	case m.noEnvelope:
		a.Steps = []string{"address", "default"}
	case m.envelope != "" && !strings.EqualFold(m.envelope, "Received"):
		a.Field = m.envelope
	}
	if c.postmaster != "" {
		a.Default = []string{c.address(m.line, c.postmaster, domain)}
	}
	c.mappings(m, hosts, domain)
	m.src.CatchAll = a
}

// appendDomains adds those that are not there and are no addresses of hosts.
func appendDomains(domains []string, more ...string) []string {
	for _, d := range more {
		d = strings.ToLower(d)
		if !slices.Contains(domains, d) && net.ParseIP(strings.TrimPrefix(d, ".")) == nil {
			domains = append(domains, d)
		}
	}
	return domains
}

// mappings makes addresses at the server's own names those of local users.
func (c *fetchmail) mappings(m *rcMailbox, hosts []string, domain string) {
	add := func(from, to string) {
		row := settings.Row{From: from, To: to}
		if !strings.EqualFold(from, to) && !slices.Contains(c.out.Map, row) {
			c.out.Map = append(c.out.Map, row)
		}
	}
	hosts = appendDomains(nil, hosts...)
	for _, n := range m.locals {
		to := c.address(m.line, n.local, domain)
		if strings.Contains(n.remote, "@") {
			add(n.remote, to)
			continue
		}
		for _, h := range hosts {
			add(n.remote+"@"+h, to)
		}
	}
	for _, h := range hosts {
		if m.rest && domain != "" {
			add(h, domain)
		}
	}
	if len(m.aka) > 0 && len(m.locals) > 0 {
		c.notice(m.line, "names at hosts below those of aka are not mapped to local ones: [[map]] takes more rows")
	}
}
