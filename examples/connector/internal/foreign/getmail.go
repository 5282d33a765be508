package foreign

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
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
	c := &getmail{Importer: b, ini: ini, settings: ini.withDefaults("options"), src: &settings.Source{}}
	if err := c.retriever(); err != nil {
		return err
	}
	c.collecting()
	if err := c.destination(); err != nil {
		return err
	}
	for _, s := range ini.sections {
		if strings.HasPrefix(strings.ToLower(s.name), "filter") {
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
	settings  *iniSection // [options], with those of [DEFAULT]; nil = there is none
	src       *settings.Source
	multidrop bool
	envelope  bool // the retriever knows envelope_recipient
}

func (c *getmail) fault(line int, format string, args ...any) error {
	return &Error{c.file, line, fmt.Sprintf(format, args...)}
}

// retrieverReasons: what of [retriever] is left out, and why.
var retrieverReasons = map[string]string{
	"use_kerberos": "Kerberos is not supported", "imap_search": "everything is collected, once",
	"imap_on_delete": "what leaves is expunged",
	"ssl_ciphers":    "the ciphers are those of TLS 1.2 and 1.3", "delete_dup_msgids": "messages with the same unique-id are told apart",
	"timeout": "each step has a limit of its own", "use_cram_md5": "how to log in is agreed with the server",
	"record_mailbox": "no such field is added", "password_command": "no commands are run: write the password into a file, password = \"@FILE\"",
}

// retriever reads [retriever].
func (c *getmail) retriever() error {
	s := c.ini.section("retriever")
	if s == nil {
		return c.fault(1, "no section [retriever]")
	}
	kind := s.get("type")
	base, _ := strings.CutSuffix(kind, "Retriever")
	base, tls := strings.CutSuffix(base, "SSL")
	switch {
	case base == kind, base == "MultidropSDPS" && tls:
		return c.fault(s.line, "%q is no type of retriever", kind)
	case slices.Contains([]string{"SimplePOP3", "BrokenUIDLPOP3", "MultidropPOP3", "MultidropSDPS"}, base):
		c.src.Protocol = "pop3"
	case base == "SimpleIMAP", base == "MultidropIMAP":
		c.src.Protocol = "imap"
	default:
		return c.fault(s.line, "%q is no type of retriever", kind)
	}
	c.multidrop = strings.HasPrefix(base, "Multidrop")
	c.envelope = c.multidrop && base != "MultidropSDPS"
	c.src.NoIDs = base == "BrokenUIDLPOP3"
	if tls {
		c.src.Protocol += "s"
	} else {
		c.src.TLS = "none"
		c.notice(s.line, "%s goes without TLS: tls = \"starttls\" or a protocol with an s is better", kind)
	}
	c.src.Host, c.src.User = s.get("server"), s.get("username")
	if c.src.Host == "" {
		c.notice(s.line, "there is no server: set host")
	}
	for i := range s.values {
		v := &s.values[i]
		if !c.knows(v.name, tls) {
			c.notice(v.line, "%s is left out: %s does not know it", v.name, kind)
			continue
		}
		c.retrieverValue(v)
	}
	c.password(s)
	c.src.Name = c.name(c.src.User, c.src.Host)
	return nil
}

// knows tells whether the retriever has this parameter: it passes over those of
// others.
func (c *getmail) knows(name string, tls bool) bool {
	imap := strings.HasPrefix(c.src.Protocol, "imap")
	switch name {
	case "use_apop":
		return !imap
	case "delete_dup_msgids":
		return !imap && !c.multidrop && !c.src.NoIDs
	case "mailboxes", "use_peek", "move_on_delete", "record_mailbox", "use_cram_md5", "use_kerberos", "use_xoauth2", "imap_search", "imap_on_delete":
		return imap
	case "envelope_recipient":
		return c.envelope
	case "ca_certs", "certfile", "keyfile", "ssl_fingerprints", "ssl_version", "ssl_ciphers", "ssl_cert_hostname":
		return tls
	}
	return true
}

func (c *getmail) retrieverValue(v *iniValue) {
	switch v.name {
	case "port":
		if n, ok := c.integer(v); ok && (n < 1 || n > 65535) {
			c.notice(v.line, "port is left out: want a number up to 65535")
		} else {
			c.src.Port = int(n)
		}
	case "ca_certs":
		c.src.TLSCA = c.wholePath(v)
	case "certfile":
		c.src.TLSCert = c.wholePath(v)
	case "keyfile":
		c.src.TLSKey = c.wholePath(v)
	case "ssl_cert_hostname":
		c.src.TLSName = v.value
	case "ssl_fingerprints":
		c.src.TLSFingerprint, _ = c.list(v)
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
	case "type", "server", "username", "password":
		// They are read in retriever and in password.
	default:
		reason := cmp.Or(retrieverReasons[v.name], "it is not known")
		c.notice(v.line, "%s is left out: %s", v.name, reason)
	}
}

// wholePath is a value that names a file; homes and variables are of the user who
// ran getmail, and not known.
func (c *getmail) wholePath(v *iniValue) string {
	if !strings.HasPrefix(v.value, "/") || strings.Contains(v.value, "$") {
		c.notice(v.line, "%s is left out: it is no whole path", v.name)
		return ""
	}
	return v.value
}

func (c *getmail) mailboxes(v *iniValue) {
	all, isLiteral := parseLiteral(v.value)
	if strings.Trim(v.value, "(), ") == "ALL" || isLiteral && all.inner == nil && all.text == "ALL" {
		c.src.Folders = []string{"*"}
		return
	}
	list, ok := c.list(v)
	switch {
	case ok && len(list) == 0:
		c.notice(v.line, "mailboxes is left out: it names none")
	case len(list) == 1 && list[0] == "ALL":
		list[0] = "*"
	}
	c.src.Folders = list
}

// list is a value that is a tuple of strings; a fault is a notice, and none.
func (c *getmail) list(v *iniValue) ([]string, bool) {
	t, ok := parseTuple(v.value)
	list, isStrings := t.strings()
	if !ok || !isStrings {
		c.notice(v.line, "%s is left out: want a list in parentheses", v.name)
		return nil, false
	}
	return list, true
}

func (c *getmail) password(s *iniSection) {
	if v := c.settings.find("use_netrc"); v != nil && c.truth(v) {
		user, password, ok := c.options.Netrc.Last(c.src.Host)
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

// number is a value of [options] that has to be one; a fault is a notice, and
// zero.
func (c *getmail) number(v *iniValue) int64 {
	n, ok := parseInteger(v.value)
	if !ok || n < 0 {
		c.notice(v.line, "%s is left out: want a number", v.name)
		return 0
	}
	return n
}

// integer is a value elsewhere that has to be a number; false: a notice says that
// it is none.
func (c *getmail) integer(v *iniValue) (int64, bool) {
	item, _ := parseLiteral(v.value)
	n, ok := item.integer()
	if !ok {
		c.notice(v.line, "%s is left out: want a number", v.name)
	}
	return n, ok
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
	v := c.settings.find(name)
	if v == nil {
		return missing
	}
	return c.truth(v)
}

// size is a number of [options]; zero where it is not there.
func (c *getmail) size(name string) int64 {
	v := c.settings.find(name)
	if v == nil {
		return 0
	}
	return c.number(v)
}

// collecting reads [options].
func (c *getmail) collecting() {
	s := c.settings
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
	readAll := c.flag("read_all", true)
	if c.src.Leave != "" {
		if readAll {
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

// Options of each kind: getmail looks at all of them.
var (
	numberOptions = []string{"delete_after", "delete_bigger_than", "max_message_size", "max_messages_per_session", "max_bytes_per_session", "verbose"}
	truthOptions  = []string{
		"read_all", "delete", "delivered_to", "received", "message_log_verbose", "message_log_syslog", "fingerprint", "use_netrc",
		"skip_imap_fetch_size", "to_oldmail_on_each_mail",
	}
)

// otherOptions says what of [options] is left out.
func (c *getmail) otherOptions(s *iniSection) {
	if s == nil {
		return
	}
	for i := range s.values {
		v := &s.values[i]
		switch {
		case slices.Contains(numberOptions, v.name):
			c.number(v)
		case slices.Contains(truthOptions, v.name):
			c.truth(v)
		}
		reason, known := optionReasons[v.name]
		if !known {
			reason = "it is not known"
		}
		if reason != "" {
			c.notice(v.line, "%s is left out: %s", v.name, reason)
		}
	}
}
