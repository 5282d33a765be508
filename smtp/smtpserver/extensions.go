package smtpserver

import (
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/smtpscan"
	"github.com/mailstead/mailstead/smtp"
)

// Extensions is a set of SMTP extensions.
type Extensions uint32

// The extensions that a Config may name.
const (
	PIPELINING          Extensions = 1 << iota // RFC 2920
	EightBitMIME                               // 8BITMIME, RFC 6152
	ENHANCEDSTATUSCODES                        // RFC 2034
	SIZE                                       // RFC 1870
	CHUNKING                                   // RFC 3030 §2
	BINARYMIME                                 // RFC 3030 §3; needs CHUNKING
	SMTPUTF8                                   // RFC 6531; needs 8BITMIME
	DSN                                        // RFC 3461
	REQUIRETLS                                 // RFC 8689; announced under TLS
	LIMITS                                     // RFC 9422: tells those of Config.Limits that a client can keep
	MTPRIORITY                                 // MT-PRIORITY, RFC 6710; see Config.Priority
	DELIVERBY                                  // RFC 2852
	FUTURERELEASE                              // RFC 4865; for submission
	PRDR                                       // draft-hall-prdr-00; not in LMTP, which has it built in
	XCLIENT                                    // Postfix, XCLIENT_README; from Config.Proxies
	XFORWARD                                   // Postfix, XFORWARD_README; from Config.Proxies
	PROXY                                      // PROXY protocol, versions 1 and 2; from Config.Proxies

	// DefaultExtensions ask nothing of a Receiver but to keep octets.
	DefaultExtensions = PIPELINING | EightBitMIME | ENHANCEDSTATUSCODES | SIZE | CHUNKING
)

// offered are the extensions that the peer has been told of.
func (s *session) offered() Extensions {
	if !s.extended {
		return 0
	}
	return s.cfg.Extensions
}

// offers are the keyword lines of the reply to EHLO.
func (s *session) offers() []string {
	ext := s.cfg.Extensions
	if s.cfg.LMTP {
		ext &^= PRDR
	}
	if s.peer.TLS == nil {
		ext &^= REQUIRETLS
	}
	if !s.trusted {
		ext &^= XCLIENT | XFORWARD
	}
	var lines []string
	add := func(on bool, line string) {
		if on {
			lines = append(lines, line)
		}
	}
	for _, k := range keywords {
		add(ext&k.ext != 0, k.name+s.keywordParam(k.ext))
	}
	add(s.offersTLS(), "STARTTLS")
	if mechanisms := s.mechanisms(); len(mechanisms) > 0 {
		add(true, "AUTH "+strings.Join(mechanisms, " "))
	}
	for i := range s.cfg.Commands {
		add(s.cfg.Commands[i].Keyword != "", s.cfg.Commands[i].Keyword)
	}
	for _, line := range s.callKeywords() {
		add(smtpscan.EHLOLine(line), line)
	}
	return lines
}

// keywords are the names in the order in which they are told.
var keywords = [...]struct {
	ext  Extensions
	name string
}{
	{PIPELINING, "PIPELINING"},
	{SIZE, "SIZE"},
	{EightBitMIME, "8BITMIME"},
	{SMTPUTF8, "SMTPUTF8"},
	{ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES"},
	{CHUNKING, "CHUNKING"},
	{BINARYMIME, "BINARYMIME"},
	{DSN, "DSN"},
	{LIMITS, "LIMITS"},
	{MTPRIORITY, "MT-PRIORITY"},
	{DELIVERBY, "DELIVERBY"},
	{FUTURERELEASE, "FUTURERELEASE"},
	{PRDR, "PRDR"},
	{REQUIRETLS, "REQUIRETLS"},
	{XCLIENT, "XCLIENT"},
	{XFORWARD, "XFORWARD"},
}

// keywordParam is what stands behind a keyword, with a space in front.
func (s *session) keywordParam(ext Extensions) string {
	l := &s.cfg.Limits
	switch ext {
	case SIZE:
		return numberParam("", l.Message)
	case LIMITS:
		return numberParam("MAILMAX=", int64(l.Mails)) + numberParam("RCPTMAX=", int64(l.Recipients)) +
			numberParam("RCPTDOMAINMAX=", int64(l.Domains))
	case MTPRIORITY:
		if s.cfg.PriorityProfile != "" {
			return " " + s.cfg.PriorityProfile
		}
	case DELIVERBY:
		if l.DeliverBy > 0 {
			return numberParam("", int64(l.DeliverBy/time.Second))
		}
	case FUTURERELEASE:
		until := time.Now().Add(min(l.Hold, maxHold)).UTC()
		return numberParam("", int64(min(l.Hold, maxHold)/time.Second)) + until.Format(" 2006-01-02T15:04:05Z")
	case XCLIENT:
		return " " + smtp.XClientAttributes
	case XFORWARD:
		return " " + smtp.XForwardAttributes
	}
	return ""
}

// maxHold is what "no limit" means for FUTURERELEASE, whose largest interval
// has nine digits.
const maxHold = 999_999_999 * time.Second

// numberParam is " " name n; "" where there is no limit.
func numberParam(name string, n int64) string {
	if n >= unlimited {
		return ""
	}
	return " " + name + strconv.FormatInt(n, 10)
}

// offersTLS: STARTTLS is hidden once TLS is on (RFC 3207 §4.2).
func (s *session) offersTLS() bool { return s.cfg.TLSConfig != nil && s.peer.TLS == nil }
