package foreign

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// Fetchmail reads a fetchmailrc. The error is an *Error.
func (b *Importer) Fetchmail(file, text string) error {
	b.file = file
	rc, err := parseFetchmail(text)
	if syntax, ok := errors.AsType[*syntaxError](err); ok {
		return &Error{file, syntax.line, syntax.text}
	}
	c := &fetchmail{Importer: b}
	for _, g := range rc.globals {
		c.global(g)
	}
	for i := range rc.servers {
		c.server(rc.defaults, &rc.servers[i])
	}
	return nil
}

// fetchmail makes sources of a fetchmailrc.
type fetchmail struct {
	*Importer
	every      time.Duration // of set daemon; zero = none
	postmaster string
}

func (c *fetchmail) global(o rcOption) {
	switch o.name {
	case "daemon":
		if n := c.number(o); n > 0 {
			c.every = time.Duration(n) * time.Second
			c.out.Every = settings.FormatDuration(c.every)
		}
	case "postmaster":
		c.postmaster = o.args[0]
	case "bouncemail", "spambounce":
		if !o.no {
			c.notice(o.line, "%s is left out: nothing is sent to senders, what cannot be delivered goes to quarantine", o.name)
		}
	case "softbounce":
		if o.no {
			c.notice(o.line, "no softbounce is left out: what a target refuses for good goes to quarantine")
		}
	case "idfile":
		c.notice(o.line, "idfile is left out: connector import-seen fetchids takes it over")
	default:
		if !o.no {
			c.notice(o.line, "set %s is left out: the log goes to standard error, and one process owns the data directory", o.name)
		}
	}
}

// number is the argument of o; a fault is a notice, and zero.
func (c *fetchmail) number(o rcOption) int64 {
	n, err := strconv.ParseInt(o.args[0], 10, 62)
	if err != nil || n < 0 {
		c.notice(o.line, "%s is left out: want a number", o.name)
		return 0
	}
	return n
}

// rcMailbox is one mailbox with all that was said of it.
type rcMailbox struct {
	s    *rcServer
	u    *rcUser
	line int

	via, protocol, service          string
	interval                        int64
	localdomains, aka               []string
	envelope                        string // NAME:INDEX, "Received", "" = not said
	noEnvelope                      bool
	qvirtual                        string
	auth                            string
	ssl, sslSaid, noCheck           bool
	sslproto, smtpaddress, smtpname string
	esmtpname, esmtppassword        string
	smtphost                        []string
	smtpLine                        int
	mda                             *rcOption
	lmtp                            bool
	keep, fetchall, idle            bool
	folders                         []string
	limit, fetchlimit               int64
	locals                          []rcName
	rest                            bool
	src                             *settings.Source
}

// server makes the sources of an entry.
func (c *fetchmail) server(defaults, s *rcServer) {
	users := s.users
	if len(users) == 0 {
		users = []rcUser{{line: s.line}}
	}
	for i := range users {
		u := &users[i]
		m := &rcMailbox{s: s, u: u, line: u.line, src: &settings.Source{Disabled: s.skip}}
		if defaults != nil {
			c.serverOptions(m, defaults.options)
			for _, d := range defaults.users {
				c.userOptions(m, &d)
			}
		}
		c.serverOptions(m, s.options)
		c.userOptions(m, u)
		c.build(m)
	}
}

func (c *fetchmail) serverOptions(m *rcMailbox, options []rcOption) {
	for _, o := range options {
		switch o.name {
		case "via":
			m.via = o.args[0]
		case "protocol":
			m.protocol = strings.ToLower(o.args[0])
		case "localdomains":
			m.localdomains = append(m.localdomains, o.args...)
		case "aka":
			m.aka = append(m.aka, o.args...)
		case "port", "service":
			m.service = o.args[0]
		case "interval":
			m.interval = c.number(o)
		case "auth":
			m.auth = strings.ToLower(o.args[0])
		case "envelope":
			m.noEnvelope, m.envelope = o.no, envelopeField(o)
		case "qvirtual":
			m.qvirtual = o.args[0]
		default:
			c.leftOut(o)
		}
	}
}

// envelopeField is NAME:INDEX of "envelope [COUNT] NAME", where COUNT fields are
// passed over.
func envelopeField(o rcOption) string {
	switch {
	case o.no:
		return ""
	case len(o.args) == 1:
		return o.args[0]
	}
	n, err := strconv.Atoi(o.args[0])
	if err != nil || n < 1 {
		return o.args[1]
	}
	return o.args[1] + ":" + strconv.Itoa(n+1)
}

func (c *fetchmail) userOptions(m *rcMailbox, u *rcUser) {
	m.locals = append(m.locals, u.locals...)
	m.rest = m.rest || u.rest
	for _, o := range u.options {
		if !c.deliveryOption(m, o) && !c.tlsOption(m, o) && !c.collectOption(m, o) {
			c.leftOut(o)
		}
	}
}

// deliveryOption is about where mail goes.
func (c *fetchmail) deliveryOption(m *rcMailbox, o rcOption) bool {
	switch o.name {
	case "smtphost":
		m.smtphost, m.smtpLine = append(m.smtphost, o.args...), o.line
	case "smtpaddress":
		m.smtpaddress = o.args[0]
	case "smtpname":
		m.smtpname = o.args[0]
	case "esmtpname":
		m.esmtpname = o.args[0]
	case "esmtppassword":
		m.esmtppassword = o.args[0]
	case "mda":
		m.mda = &o
	case "lmtp":
		m.lmtp = !o.no
	default:
		return false
	}
	return true
}

func (c *fetchmail) tlsOption(m *rcMailbox, o rcOption) bool {
	switch o.name {
	case "ssl":
		m.ssl = !o.no
	case "sslproto":
		m.sslproto, m.sslSaid = strings.ToLower(o.args[0]), true
	case "sslcertck":
		m.noCheck = o.no
	case "sslcertfile":
		m.src.TLSCA = o.args[0]
	case "sslcert":
		m.src.TLSCert = o.args[0]
	case "sslkey":
		m.src.TLSKey = o.args[0]
	case "sslcommonname":
		m.src.TLSName = o.args[0]
	default:
		return false
	}
	return true
}

// collectOption is about what is collected, and what stays.
func (c *fetchmail) collectOption(m *rcMailbox, o rcOption) bool {
	switch o.name {
	case "password":
		m.src.Password = settings.Literal(o.args[0])
	case "passwordfile":
		m.src.Password = settings.Secret("@" + o.args[0])
	case "folder":
		m.folders = append(m.folders, o.args...)
	case "keep":
		m.keep = !o.no
	case "fetchall":
		m.fetchall = !o.no
	case "idle":
		m.idle = !o.no
	case "limit":
		m.limit = c.number(o)
	case "fetchlimit":
		m.fetchlimit = c.number(o)
	default:
		return false
	}
	return true
}

// reasons says why an option has no counterpart; one without is not needed here.
var reasons = map[string]string{
	"batchlimit": "each message is safe before the next one", "expunge": "each message is safe before the next one",
	"fastuidl": "", "fetchsizelimit": "", "timeout": "each step has a limit of its own", "uidl": "",
	"warnings": "the log and status name what is too large", "antispam": "what a target refuses goes to quarantine", "bad-header": "every message is collected",
	"bsmtp": "there is no such target", "checkalias": "no DNS is asked: name the domains", "dns": "",
	"dropdelivered": "messages are not changed", "dropstatus": "messages are not changed",
	"fetchdomains": "ETRN and ODMR are not supported", "flush": "nothing is deleted that was not collected",
	"forcecr": "", "interface": "network interfaces are not looked at", "limitflush": "nothing is deleted that was not collected",
	"mimedecode": "messages are not changed", "monitor": "network interfaces are not looked at",
	"plugin": "connections are made directly", "plugout": "connections are made directly",
	"postconnect": "no commands are run", "preconnect": "no commands are run", "principal": "Kerberos is not supported",
	"properties": "it says nothing", "retrieve-error": "a message that fails is tried again, and the others go on",
	"rewrite": "messages are not changed", "sslcertpath": "name a file in tls-ca",
	"sslfingerprint": "it is an MD5 sum: tls-fingerprint takes SHA-256", "stripcr": "messages are not changed",
	"tracepolls": "the Received field names the source anyway",
}

// leftOut says that an option is not carried over, where it would do something.
func (c *fetchmail) leftOut(o rcOption) {
	if reason := reasons[o.name]; reason != "" && !o.no {
		c.notice(o.line, "%s is left out: %s", o.name, reason)
	}
}
