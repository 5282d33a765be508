package pop3client

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/pop3"
)

// Capabilities are what the server announced in its reply to CAPA (RFC 2449
// §5). The zero value is that of a server without CAPA.
type Capabilities struct {
	// Known reports whether the server has CAPA. Without it each command has to
	// be tried.
	Known bool

	Top          bool
	User         bool // USER and PASS
	UIDL         bool
	STLS         bool // RFC 2595 §4
	Pipelining   bool
	RespCodes    bool // replies that begin with "[" have a response code
	AuthRespCode bool // each login refused for its credentials says [AUTH] (RFC 3206 §6)
	UTF8         bool // RFC 6856 §2
	UTF8User     bool // names and passwords may be UTF-8 (§2.2)
	Lang         bool // RFC 6856 §3

	// Mechanisms are those of SASL (RFC 5034), in upper case and in the server's
	// order.
	Mechanisms []string

	// Expire is how long messages stay on the server; nil = not announced.
	Expire *Expire

	// LoginDelay is how far logins have to be apart; 0 = not announced.
	// LoginDelayPerUser: before the login it is the longest of all users'.
	LoginDelay        time.Duration
	LoginDelayPerUser bool

	// Implementation names the server. Nothing may depend on it (§6.9).
	Implementation string

	// Lines are all lines, as received.
	Lines []string
}

// Expire is the retention that a server announces (RFC 2449 §6.7).
type Expire struct {
	// Never: the server deletes nothing by itself.
	Never bool
	// Days is the least number of days that a message stays. 0: what was
	// retrieved may be gone after QUIT.
	Days int
	// PerUser: before the login it is the shortest of all users'.
	PerUser bool
}

func parseCapabilities(lines []string) Capabilities {
	c := Capabilities{Known: true, Lines: lines}
	for _, line := range lines {
		word, params, _ := strings.Cut(line, " ")
		c.set(strings.ToUpper(word), strings.Fields(params))
	}
	return c
}

func (c *Capabilities) set(tag string, params []string) {
	if flag := c.flag(tag); flag != nil {
		*flag = true
	}
	perUser := len(params) > 1 && strings.EqualFold(params[1], "USER")
	switch tag {
	case pop3.CapUTF8:
		c.UTF8User = slices.ContainsFunc(params, func(p string) bool { return strings.EqualFold(p, "USER") })
	case pop3.CapSASL:
		for _, m := range params {
			if m = strings.ToUpper(m); !slices.Contains(c.Mechanisms, m) {
				c.Mechanisms = append(c.Mechanisms, m)
			}
		}
	case pop3.CapExpire:
		if len(params) == 0 {
			return
		}
		e := Expire{Never: strings.EqualFold(params[0], "NEVER"), PerUser: perUser}
		days, err := strconv.Atoi(params[0])
		if e.Never || err == nil && days >= 0 {
			e.Days = max(0, days)
			c.Expire = &e
		}
	case pop3.CapLoginDelay:
		if len(params) == 0 {
			return
		}
		if n, err := strconv.ParseInt(params[0], 10, 64); err == nil && n >= 0 {
			c.LoginDelay, c.LoginDelayPerUser = time.Duration(min(n, math.MaxInt32))*time.Second, perUser
		}
	case pop3.CapImpl:
		c.Implementation = strings.Join(params, " ")
	}
}

// flag is the field of a tag that has one; nil = none.
func (c *Capabilities) flag(tag string) *bool {
	switch tag {
	case pop3.CapTop:
		return &c.Top
	case pop3.CapUser:
		return &c.User
	case pop3.CapUIDL:
		return &c.UIDL
	case pop3.CapSTLS:
		return &c.STLS
	case pop3.CapPipelining:
		return &c.Pipelining
	case pop3.CapRespCodes:
		return &c.RespCodes
	case pop3.CapAuthRespCode:
		return &c.AuthRespCode
	case pop3.CapUTF8:
		return &c.UTF8
	case pop3.CapLang:
		return &c.Lang
	}
	return nil
}

// Has reports whether the tag was announced, in any case.
func (c Capabilities) Has(tag string) bool {
	_, ok := c.Param(tag)
	return ok
}

// Param returns what stands behind the tag.
func (c Capabilities) Param(tag string) (params string, ok bool) {
	for _, line := range c.Lines {
		word, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(word, tag) {
			return rest, true
		}
	}
	return "", false
}

// mayLearnMore reports whether CAPA can say more after the login.
func (c Capabilities) mayLearnMore() bool {
	return c.Known && (c.LoginDelayPerUser || c.Expire != nil && c.Expire.PerUser || !c.UIDL || !c.Top)
}
