package settings

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/deliver/fetch/recipient"
)

func (c *checker) source(key string, src *Source) {
	if !isName(src.Name) {
		c.fault(key+".name", "want letters, digits and ._@-")
	}
	c.oneOf(key+".protocol", src.Protocol, "pop3", "pop3s", "imap", "imaps")
	if src.Host == "" || strings.ContainsAny(src.Host, ":/ \t") && !strings.HasPrefix(src.Host, "[") {
		c.fault(key+".host", "want the name or address of a host, without a port")
	}
	if src.Port < 0 || src.Port > 65535 {
		c.fault(key+".port", "%d is no port", src.Port)
	}
	if src.User == "" {
		c.fault(key+".user", "missing")
	}
	c.sourceTLS(key, src)
	c.credentials(key, src)
	c.collecting(key, src)
	c.recipients(key, src)
	c.targetName(key+".target", src.Target)
}

// isName: names stand in keys, logs and metrics.
func isName(s string) bool {
	for _, r := range s {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@+-", r) {
			return false
		}
	}
	return s != "" && len(s) <= 200
}

func (c *checker) sourceTLS(key string, src *Source) {
	c.oneOf(key+".tls", src.TLS, "implicit", "starttls", "none")
	if src.TLS != "implicit" && strings.HasSuffix(src.Protocol, "s") {
		c.fault(key+".tls", "%s is TLS from the first octet: tls = %q goes with %s", src.Protocol, src.TLS, strings.TrimSuffix(src.Protocol, "s"))
	}
	if src.TLSMin != "" {
		c.oneOf(key+".tls-min", src.TLSMin, "1.2", "1.3")
	}
	if (src.TLSCert == "") != (src.TLSKey == "") {
		c.fault(key+".tls-cert", "tls-cert and tls-key need each other")
	}
	c.file(key+".tls-ca", src.TLSCA)
	c.file(key+".tls-cert", src.TLSCert)
	c.file(key+".tls-key", src.TLSKey)
	for i, text := range src.TLSFingerprint {
		if _, err := ParseFingerprint(text); err != nil {
			c.fault(key+".tls-fingerprint"+index(i), "%v", err)
		}
	}
}

func (c *checker) credentials(key string, src *Source) {
	n := 0
	for _, given := range []bool{src.Password != "", src.PasswordEnv != "", src.OAuth != ""} {
		if given {
			n++
		}
	}
	if n != 1 {
		c.fault(key+".password", "want one of password, password-env and oauth")
	}
	if src.OAuth != "" {
		if _, ok := c.s.OAuth[src.OAuth]; !ok {
			c.fault(key+".oauth", "there is no [oauth.%s]", src.OAuth)
		}
	}
}

// collecting is about when and what.
func (c *checker) collecting(key string, src *Source) {
	c.duration(key+".every", src.Every)
	_, err := parseLeave(src.Leave)
	c.wrap(key+".leave", err)
	c.size(key+".delete-above", src.DeleteAbove)
	c.size(key+".delete-above-total", src.DeleteTotal)
	c.size(key+".max-message-size", src.MaxMessageSize)
	if src.DeleteQuota < 0 || src.DeleteQuota > 100 {
		c.fault(key+".delete-above-quota", "want percent, from 1 to 100")
	}
	if src.MaxMessages < 0 {
		c.fault(key+".max-messages", "want a number from 1")
	}
	c.ofOneProtocol(key, src)
}

// ofOneProtocol refuses what the protocol of a source does not have.
func (c *checker) ofOneProtocol(key string, src *Source) {
	imap := src.IsIMAP()
	for _, f := range []struct {
		name string
		imap bool
		set  bool
	}{
		{"folders", true, len(src.Folders) > 0},
		{"except", true, len(src.Except) > 0},
		{"move-to", true, src.MoveTo != ""},
		{"idle", true, src.Idle != nil && *src.Idle},
		{"leave", true, src.Leave == "until-seen"},
		{"delete-above-quota", true, src.DeleteQuota > 0},
		{"apop", false, src.APOP},
		{"no-unique-ids", false, src.NoIDs},
	} {
		switch {
		case !f.set || f.imap == imap:
		case imap:
			c.fault(key+"."+f.name, "IMAP has no such thing; it goes with pop3 and pop3s")
		default:
			c.fault(key+"."+f.name, "POP3 has no such thing; it goes with imap and imaps")
		}
	}
	if imap && src.MoveTo != "" && slices.Contains(src.Folders, src.MoveTo) {
		c.fault(key+".move-to", "it is collected itself")
	}
	if src.APOP && src.OAuth != "" {
		c.fault(key+".apop", "it needs a password")
	}
}

func (c *checker) recipients(key string, src *Source) {
	switch {
	case src.CatchAll != nil && src.Recipient != "":
		c.fault(key+".recipient", "a mailbox is personal (recipient) or a catch-all, not both; a catch-all has default")
	case src.CatchAll != nil:
		c.catchAll(key+".catch-all", src.CatchAll)
	case src.Recipient == "":
		c.fault(key+".recipient", "missing: whose mailbox it is, or a table catch-all")
	default:
		c.mailbox(key+".recipient", src.Recipient)
	}
}

func (c *checker) catchAll(key string, a *CatchAll) {
	if a.Field != "" {
		_, err := parseHeader(a.Field)
		if err != nil {
			c.fault(key+".field", "%v", err)
			return
		}
	}
	for i, d := range a.Default {
		c.mailbox(key+".default"+index(i), d)
	}
	for i := range a.Rules {
		r := &a.Rules[i]
		if !isFieldName(r.Field) {
			c.fault(key+".rule"+index(i)+".field", "%q is not the name of a header field", r.Field)
		}
	}
	_, err := recipient.New(c.s.Config(a))
	for _, err := range each(err) {
		c.fault(key, "%v", err)
	}
}

// each are the errors that err joins, or itself.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func (c *checker) mapping() {
	_, err := c.s.Table()
	for _, err := range each(err) {
		c.fault("map", "%v", err)
	}
}

func (c *checker) switchOver(o *SwitchOver) {
	if o == nil {
		return
	}
	if o.Old == "" {
		c.fault("switch-over.old", "missing: the target of the old server")
	} else {
		c.targetName("switch-over.old", o.Old)
	}
	_, err := c.s.Stages()
	for _, err := range each(err) {
		c.fault("switch-over.stage", "%v", err)
	}
}
