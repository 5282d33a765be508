package smtpclient

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/smtp"
)

// Capabilities are what the server announced in its reply to EHLO or LHLO. The
// zero value is that of a server that knows HELO only.
type Capabilities struct {
	Pipelining    bool // RFC 2920
	EightBitMIME  bool // RFC 6152
	BinaryMIME    bool // RFC 3030 §3
	Chunking      bool // RFC 3030 §2
	SMTPUTF8      bool // RFC 6531
	DSN           bool // RFC 3461
	EnhancedCodes bool // ENHANCEDSTATUSCODES, RFC 2034
	StartTLS      bool // RFC 3207
	RequireTLS    bool // RFC 8689
	Priority      bool // MT-PRIORITY, RFC 6710
	DeliverBy     bool // RFC 2852
	FutureRelease bool // RFC 4865
	PRDR          bool // one reply for each recipient, where MAIL asks for it

	// SizeOffered reports SIZE (RFC 1870). MaxSize is its parameter in
	// octets, 0 = no limit is known.
	SizeOffered bool
	MaxSize     int64

	// MinDeliverBy is the least time with which the server takes a BY= that
	// asks for a return (RFC 2852); 0 = none was told.
	MinDeliverBy time.Duration

	// Mechanisms are the SASL mechanisms of AUTH (RFC 4954 §3), in upper case
	// and in the server's order.
	Mechanisms []string

	// Limits are those of RFC 9422.
	Limits Limits

	// Lines are the lines behind the first, as received.
	Lines []string
}

// Limits are what a server says of its own limits (LIMITS, RFC 9422 §4); 0 =
// not announced.
type Limits struct {
	Mails       int // MAILMAX: MAIL commands in a session
	Rcpts       int // RCPTMAX: RCPT commands in a transaction
	RcptDomains int // RCPTDOMAINMAX: distinct domains of the recipients of a session
}

func parseCapabilities(r smtp.Reply) Capabilities {
	c := Capabilities{Lines: r.Lines[min(1, len(r.Lines)):]}
	for _, line := range c.Lines {
		word, params, _ := strings.Cut(line, " ")
		c.set(strings.ToUpper(word), strings.Fields(params))
	}
	return c
}

func (c *Capabilities) set(keyword string, params []string) {
	if flag := c.flag(keyword); flag != nil {
		*flag = true
	}
	switch keyword {
	case "SIZE":
		if len(params) > 0 {
			c.MaxSize = parseSize(params[0])
		}
	case "DELIVERBY":
		if len(params) > 0 {
			c.MinDeliverBy = time.Duration(min(parseSize(params[0]), 999_999_999)) * time.Second
		}
	case "AUTH":
		for _, m := range params {
			if m = strings.ToUpper(m); !slices.Contains(c.Mechanisms, m) {
				c.Mechanisms = append(c.Mechanisms, m)
			}
		}
	case "LIMITS":
		c.Limits.set(params)
	}
}

// flag is the field of a keyword that has one; nil = none.
func (c *Capabilities) flag(keyword string) *bool {
	return map[string]*bool{
		"PIPELINING": &c.Pipelining, "8BITMIME": &c.EightBitMIME, "BINARYMIME": &c.BinaryMIME,
		"CHUNKING": &c.Chunking, "SMTPUTF8": &c.SMTPUTF8, "DSN": &c.DSN, "SIZE": &c.SizeOffered,
		"ENHANCEDSTATUSCODES": &c.EnhancedCodes, "STARTTLS": &c.StartTLS, "REQUIRETLS": &c.RequireTLS,
		"MT-PRIORITY": &c.Priority, "DELIVERBY": &c.DeliverBy, "FUTURERELEASE": &c.FutureRelease,
		"PRDR": &c.PRDR,
	}[keyword]
}

func parseSize(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// set takes the limits that it knows. A value is a number of 1 to 6 digits
// that does not start with 0; anything else is ignored (RFC 9422 §4).
func (l *Limits) set(params []string) {
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n <= 0 || len(value) > 6 || value[0] < '1' {
			continue
		}
		switch strings.ToUpper(name) {
		case "MAILMAX":
			l.Mails = n
		case "RCPTMAX":
			l.Rcpts = n
		case "RCPTDOMAINMAX":
			l.RcptDomains = n
		}
	}
}

// Has reports whether the keyword was announced, in any case.
func (c Capabilities) Has(keyword string) bool {
	_, ok := c.Param(keyword)
	return ok
}

// Param returns what stands behind the keyword.
func (c Capabilities) Param(keyword string) (params string, ok bool) {
	for _, line := range c.Lines {
		word, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(word, keyword) {
			return rest, true
		}
	}
	return "", false
}
