package foreign

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/examples/connector/internal/settings"
)

// Getmail reads a getmailrc, which is one mailbox. The error is an *Error.
func (b *Importer) Getmail(file, text string) error {
	b.file = file
	ini, err := parseINI(text)
	if syntax, ok := errors.AsType[*syntaxError](err); ok {
		return &Error{file, syntax.line, syntax.text}
	}
	c := &getmail{Importer: b, ini: ini, src: &settings.Source{}}
	if err := c.retriever(); err != nil {
		return err
	}
	c.collecting()
	if err := c.destination(); err != nil {
		return err
	}
	for _, s := range ini.sections {
		if strings.HasPrefix(s.name, "filter") {
			c.notice(s.line, "[%s] is left out: messages are not changed, and not dropped", s.name)
		}
	}
	c.out.Sources = append(c.out.Sources, c.src)
	return nil
}

// getmail makes a source of a getmailrc.
type getmail struct {
	*Importer
	ini       *iniFile
	src       *settings.Source
	multidrop bool
}

func (c *getmail) fault(line int, format string, args ...any) error {
	return &Error{c.file, line, fmt.Sprintf(format, args...)}
}

// retrieverReasons: what of [retriever] is left out, and why.
var retrieverReasons = map[string]string{
	"use_kerberos": "Kerberos is not supported", "imap_search": "everything is collected, once",
	"imap_on_delete": "what leaves is expunged",
	"ssl_ciphers":    "the ciphers are those of TLS 1.2 and 1.3", "delete_dup_msgids": "messages with the same unique-id are told apart",
	"timeout":        "each step has a limit of its own",
	"record_mailbox": "no such field is added", "password_command": "no commands are run: write the password into a file, password = \"@FILE\"",
}

// retriever reads [retriever].
func (c *getmail) retriever() error {
	s := c.ini.section("retriever")
	if s == nil {
		return c.fault(1, "no section [retriever]")
	}
	kind := s.get("type")
	base, ok := strings.CutSuffix(kind, "Retriever")
	if !ok {
		return c.fault(s.line, "%q is no type of retriever", kind)
	}
	tls := strings.HasSuffix(base, "SSL")
	base = strings.TrimSuffix(base, "SSL")
	switch base {
	case "SimplePOP3", "BrokenUIDLPOP3", "MultidropPOP3", "MultidropSDPS":
		c.src.Protocol = "pop3"
	case "SimpleIMAP", "MultidropIMAP":
		c.src.Protocol = "imap"
	default:
		return c.fault(s.line, "%q is no type of retriever", kind)
	}
	c.multidrop = strings.HasPrefix(base, "Multidrop")
	c.src.NoIDs = strings.HasPrefix(base, "BrokenUIDL")
	if tls {
		c.src.Protocol += "s"
	} else {
		c.src.TLS = "none"
		c.notice(s.line, "%s goes without TLS: tls = \"starttls\" or a protocol with an s is better", kind)
	}
	c.src.Host, c.src.User = s.get("server"), s.get("username")
	if v := s.find("port"); v != nil {
		c.src.Port = int(c.number(v))
	}
	for i := range s.values {
		c.retrieverValue(&s.values[i])
	}
	c.password(s)
	c.src.Name = c.name(c.src.User, c.src.Host)
	return nil
}

func (c *getmail) retrieverValue(v *iniValue) {
	switch v.name {
	case "ca_certs":
		c.src.TLSCA = v.value
	case "certfile":
		c.src.TLSCert = v.value
	case "keyfile":
		c.src.TLSKey = v.value
	case "ssl_cert_hostname":
		c.src.TLSName = v.value
	case "ssl_fingerprints":
		list, ok := parseTuple(v.value)
		if !ok {
			c.notice(v.line, "ssl_fingerprints is left out: want a list in parentheses")
		}
		c.src.TLSFingerprint = list.strings()
	case "ssl_version":
		if v.value != "sslv23" && v.value != "tlsv1_2" {
			c.notice(v.line, "ssl_version is left out: TLS 1.2 is the least")
		}
	case "mailboxes":
		c.mailboxes(v)
	case "envelope_recipient":
		// Where there is one for each mailbox, it is read in recipients.
	case "use_xoauth2":
		if c.truth(v) {
			c.notice(v.line, "use_xoauth2 is left out: set oauth, and an [oauth.NAME]")
		}
	case "use_apop":
		c.src.APOP = c.truth(v)
	case "move_on_delete":
		c.src.MoveTo = v.value
	case "use_peek":
		if !c.truth(v) {
			c.notice(v.line, "use_peek is left out: what is collected is not marked as read")
		}
	case "type", "server", "username", "port", "password":
		// They are read in retriever and in password.
	default:
		reason := cmp.Or(retrieverReasons[v.name], "it is not known")
		c.notice(v.line, "%s is left out: %s", v.name, reason)
	}
}

func (c *getmail) mailboxes(v *iniValue) {
	if v.value == "ALL" {
		c.src.Folders = []string{"*"}
		return
	}
	list, ok := parseTuple(v.value)
	if !ok || len(list.strings()) == 0 {
		c.notice(v.line, "mailboxes is left out: want a list in parentheses")
		return
	}
	c.src.Folders = list.strings()
}

func (c *getmail) password(s *iniSection) {
	options := c.ini.section("options")
	if v := options.find("use_netrc"); v != nil && c.truth(v) {
		user, password, ok := c.options.Netrc.Find("", c.src.Host)
		switch {
		case !ok:
			c.notice(v.line, "use_netrc: there is no password for %s in the .netrc; --netrc names the file", c.src.Host)
		case user != "":
			c.src.User = user
			fallthrough
		default:
			c.src.Password = settings.Literal(password)
		}
	}
	if v := s.find("password"); v != nil && c.src.Password == "" {
		c.src.Password = settings.Literal(v.value)
	}
	if c.src.Password == "" {
		c.notice(s.line, "there is no password for %s at %s: set one", c.src.User, c.src.Host)
	}
	if c.src.User == "" {
		c.notice(s.line, "there is no username: set user")
	}
}

// number is a value that has to be one; a fault is a notice, and zero.
func (c *getmail) number(v *iniValue) int64 {
	n, err := strconv.ParseInt(v.value, 10, 62)
	if err != nil || n < 0 {
		c.notice(v.line, "%s is left out: want a number", v.name)
		return 0
	}
	return n
}

// truth is a value that is true or false.
func (c *getmail) truth(v *iniValue) bool {
	switch strings.ToLower(v.value) {
	case "true", "yes", "on", "1":
		return true
	case "false", "no", "off", "0":
		return false
	}
	c.notice(v.line, "%s is left out: want true or false", v.name)
	return false
}

// flag is a truth value of [options].
func (c *getmail) flag(name string, missing bool) bool {
	v := c.ini.section("options").find(name)
	if v == nil {
		return missing
	}
	return c.truth(v)
}

// size is a number of [options]; zero where it is not there.
func (c *getmail) size(name string) int64 {
	v := c.ini.section("options").find(name)
	if v == nil {
		return 0
	}
	return c.number(v)
}

// collecting reads [options].
func (c *getmail) collecting() {
	s := c.ini.section("options")
	line := 1
	if s != nil {
		line = s.line
	}
	days := c.size("delete_after")
	switch {
	case c.flag("delete", false):
	case days > 36500:
		c.src.Leave = "always"
	case days > 0:
		c.src.Leave = fmt.Sprintf("%dd", days)
	default:
		c.src.Leave = "always"
	}
	if c.src.Leave != "" {
		if c.flag("read_all", true) {
			c.notice(line, "read_all: getmail collects what stays on the server again each time; here everything is collected once")
		} else {
			c.notice(line, "what is on the server of %s now is collected once more, unless connector import-seen oldmail takes over the lists of getmail (oldmail-…)", c.src.Host)
		}
		if n := c.size("delete_bigger_than"); n > 0 {
			c.src.DeleteAbove = strconv.FormatInt(n, 10)
		}
	}
	if n := c.size("max_message_size"); n > 0 {
		c.src.MaxMessageSize = strconv.FormatInt(n, 10)
	}
	c.src.MaxMessages = int(min(c.size("max_messages_per_session"), 1<<30))
	c.otherOptions(s)
}

// optionReasons: what of [options] is left out, and why; "" = it is read, or
// there is nothing to say.
var optionReasons = map[string]string{
	"verbose": "", "read_all": "", "delete": "", "delete_after": "", "delete_bigger_than": "", "max_message_size": "",
	"max_messages_per_session": "", "use_netrc": "", "fingerprint": "", "to_oldmail_on_each_mail": "", "skip_imap_fetch_size": "",
	"max_bytes_per_session": "max-messages bounds a session", "mark_read": "what is collected is not marked as read",
	"message_log": "the log goes to standard error", "message_log_syslog": "the log goes to standard error",
	"message_log_verbose": "the log goes to standard error", "logfile": "the log goes to standard error",
	"netrc_file": "--netrc names the file", "delivered_to": "the target adds it, and a Received field says who collected",
	"received": "a Received field is always added",
}

// otherOptions says what of [options] is left out.
func (c *getmail) otherOptions(s *iniSection) {
	if s == nil {
		return
	}
	for i := range s.values {
		v := &s.values[i]
		reason, known := optionReasons[v.name]
		if !known {
			reason = "it is not known"
		}
		if reason != "" {
			c.notice(v.line, "%s is left out: %s", v.name, reason)
		}
	}
}

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
	if v == nil {
		return
	}
	name, index, _ := strings.Cut(v.value, ":")
	n, err := strconv.Atoi(strings.TrimSpace(index))
	if err != nil || n < 1 {
		c.notice(v.line, "envelope_recipient is left out: want NAME:INDEX")
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
