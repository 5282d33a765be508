package bounce

import (
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// classify is what is known of a recipient (B2): a status that says something
// counts; words make up for one that says nothing, and cast doubt on one that
// they do not agree with.
func classify(r *Recipient) (Class, Cause) {
	if r.Status.IsZero() || generic(r.Status) {
		if c := statusIn(r.Diagnostic); c.Class == r.Status.Class || r.Status.IsZero() {
			r.Status = better(r.Status, c)
		}
	}
	if r.Reply == 0 {
		r.Reply = replyIn(r.Diagnostic)
	}
	byStatus, byWords := causeOf(r.Status), causeIn(r.Diagnostic)
	switch r.Action {
	case Delivered, Relayed, Expanded:
		return Good, NoCause
	case Delayed:
		return Soft, pick(byStatus, byWords)
	case NoAction, Failed:
	}
	if r.Status.Class == 4 || r.Status.IsZero() && r.Reply/100 == 4 {
		return Soft, pick(byStatus, byWords)
	}
	if r.Action != Failed && r.Status.Class != 5 && r.Reply/100 != 5 {
		return Uncertain, byWords
	}
	return combine(r.Status, byStatus, byWords)
}

// combine judges a permanent failure.
func combine(c smtp.EnhancedCode, byStatus, byWords Cause) (Class, Cause) {
	switch {
	case byStatus == NoCause && byWords == NoCause:
		return Uncertain, NoCause
	case byStatus == NoCause, vague(c) && byWords != NoCause:
		return classOf(byWords), byWords
	case byWords == NoCause, classOf(byStatus) == classOf(byWords):
		return classOf(byStatus), byStatus
	}
	if classOf(byStatus) == Soft && byStatus != Policy {
		return Soft, byStatus // words that would make more of it do not count
	}
	return Uncertain, byStatus
}

func classOf(c Cause) Class {
	switch c {
	case NoCause:
		return Uncertain
	case BadAddress, BadDomain, Disabled:
		return Hard
	}
	return Soft
}

func pick(a, b Cause) Cause {
	if a != NoCause {
		return a
	}
	return b
}

func better(a, b smtp.EnhancedCode) smtp.EnhancedCode {
	if b.IsZero() {
		return a
	}
	return b
}

// generic: nothing but the class, or the subject (RFC 3463 §3.1).
func generic(c smtp.EnhancedCode) bool { return c.Subject == 0 || c.Detail == 0 }

// vague are codes that hosts send for whatever reason: words count more.
func vague(c smtp.EnhancedCode) bool {
	return generic(c) || c.Subject == 5 || c.Subject == 4 && c.Detail == 1 || c.Subject == 3 && c.Detail != 4
}

// causeOf is the cause that a status names (RFC 3463 §3), whatever its class.
func causeOf(c smtp.EnhancedCode) Cause {
	if generic(c) {
		return NoCause
	}
	switch c.Subject {
	case 1:
		return addressing(c.Detail)
	case 2:
		return mailbox(c.Detail)
	case 3:
		if c.Detail == 4 {
			return TooLarge
		}
		return System
	case 4:
		return network(c.Detail)
	case 5:
		return System
	case 6:
		return Content
	case 7:
		return Policy
	}
	return NoCause
}

func addressing(detail uint16) Cause {
	switch detail {
	case 1, 3, 6:
		return BadAddress
	case 2, 10: // RFC 7505
		return BadDomain
	case 7, 8, 9: // the sender's
		return Policy
	}
	return NoCause
}

func mailbox(detail uint16) Cause {
	switch detail {
	case 1:
		return Disabled
	case 2:
		return Full
	case 3:
		return TooLarge
	}
	return NoCause
}

func network(detail uint16) Cause {
	switch detail {
	case 6, 8:
		return Loop
	case 7:
		return Expired
	}
	return Network
}

// causeIn is the cause that words name: the first of those that leave no doubt,
// else the first of the others.
func causeIn(text string) Cause {
	text = strings.ToLower(text)
	for _, set := range phrases() {
		for _, p := range set.words {
			if strings.Contains(text, p) {
				return set.cause
			}
		}
	}
	return NoCause
}

type phraseSet struct {
	cause Cause
	words []string
}

// phrases are what hosts say, in lower case.
func phrases() []phraseSet {
	return []phraseSet{
		{Full, []string{"mailbox full", "mailbox is full", "mailbox too full", "over quota", "overquota", "quota exceeded", "exceeded quota", "exceeds quota", "exceeded storage", "storage allocation", "out of storage", "exceeds allowed size", "mailbox size limit", "inbox is full"}},
		{BadDomain, []string{"domain not found", "no such domain", "domain does not exist", "couldn't find any host", "host or domain name not found", "unknown host", "host unknown", "host not found", "nxdomain", "unrouteable mail domain", "domain doesn't exist", "domain couldn't be found", "does not accept mail"}},
		{Disabled, []string{"mailbox disabled", "account disabled", "account is disabled", "account has been disabled", "account that you tried to reach is disabled", "mailbox is inactive", "account is inactive", "no longer in use"}},
		{BadAddress, []string{
			"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "no such address", "no mailbox here by that name", "unknown recipient", "recipient unknown", "recipient not found", "recipnotfound", "unknown local part", "invalid recipient", "invalid mailbox", "mailbox not found", "user not found", "user doesn't exist", "user does not exist", "account does not exist", "mailbox does not exist", "address does not exist", "tried to reach does not exist", "doesn't have a", "not listed in domino", "not listed in public name", "address couldn't be found", "unrouteable address", "address unknown", "unknown address", "bad destination mailbox", "recipient address rejected: access denied", "e-mail address was not found", "email address could not be found", "not a known user", "no account by that name",
		}},
		{TooLarge, []string{"message too large", "message too big", "message size exceeds", "exceeds maximum message size", "message is too large", "exceeds size limit", "larger than"}},
		{Loop, []string{"too many hops", "hop count", "mail loop", "loops back", "forwarding loop"}},
		{Content, []string{"virus", "malware", "attachment", "message content rejected"}},
		{Policy, []string{"spam", "blocked", "blacklist", "block list", "blocklist", "denylist", "dnsbl", "rbl", "policy", "reputation", "relay", "spf", "dkim", "dmarc", "unsolicited", "not permitted", "not authorized", "not allowed", "access denied", "banned", "greylist", "rate limit", "too many"}},
		{Expired, []string{"retry time", "in the queue too long", "time expired", "retry timeout", "expired after", "queue too long"}},
		{Network, []string{"connection refused", "connection timed out", "timed out", "no route", "connection dropped", "lost connection", "establish an smtp connection", "network is unreachable", "no answer"}},
	}
}
