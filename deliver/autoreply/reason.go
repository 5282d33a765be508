package autoreply

import (
	"bytes"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// Reason is what makes a message one that no program answers. The zero value:
// nothing does.
type Reason uint8

// The reasons.
const (
	None          Reason = iota
	NullSender           // the reverse-path is "<>": a report
	Daemon               // the sender is a program by its name: MAILER-DAEMON, owner-x, x-request
	NoReply              // the sender takes no mail by its name
	AutoSubmitted        // Auto-Submitted, other than "no", or one of its forerunners
	List                 // a List- field
	Bulk                 // Precedence: bulk, junk or list
	Suppressed           // X-Auto-Response-Suppress asks for none
	Report               // multipart/report
	Spam                 // marked as spam
	NotAddressed         // a Responder: none of its addresses stands in To, Cc or Bcc
	Recent               // a Responder: the sender had a response already
	Own                  // a Responder: its own address is the sender
)

// String is the reason in words, for logs.
func (r Reason) String() string {
	words := [...]string{
		"none", "null sender", "sender is a program", "sender takes no mail", "auto-submitted", "mailing list", "bulk",
		"response suppressed", "report", "spam", "not addressed", "answered already", "own address",
	}
	if int(r) < len(words) {
		return words[r]
	}
	return "unknown"
}

// Of names the first reason not to answer a message with this reverse-path and
// header block, None where there is none. It looks at all fields of header, up to
// an empty line.
func Of(from smtp.ReversePath, header []byte) Reason {
	if from.IsNull() {
		return NullSender
	}
	if r := OfSender(from.Path); r != None {
		return r
	}
	for f := range mime.Fields(header) {
		if r := ofField(f); r != None {
			return r
		}
	}
	return None
}

// OfSender is what the address alone says: Daemon, NoReply or None. <postmaster>
// is a person.
func OfSender(p smtp.Path) Reason {
	local := strings.ToLower(p.Local)
	switch local {
	case "mailer-daemon", "mail-daemon", "listserv", "majordomo", "mdaemon", "daemon", "bounce", "bounces", "owner", "nobody":
		return Daemon
	case "noreply", "no-reply", "no_reply", "no.reply", "donotreply", "do-not-reply", "do_not_reply", "do.not.reply":
		return NoReply
	}
	for _, head := range []string{"owner-", "bounce-", "bounces-", "bounce+", "bounces+", "mailer-daemon+", "mailer-daemon-"} {
		if strings.HasPrefix(local, head) {
			return Daemon
		}
	}
	for _, tail := range []string{"-request", "-owner", "-bounces", "-relay", "-outgoing"} {
		if strings.HasSuffix(local, tail) {
			return Daemon
		}
	}
	for _, head := range []string{"noreply", "no-reply", "donotreply", "do-not-reply"} {
		if rest, ok := strings.CutPrefix(local, head); ok && strings.IndexByte("+-._=", rest[0]) >= 0 {
			return NoReply
		}
	}
	return None
}

func ofField(f mime.Field) Reason {
	switch name := strings.ToLower(string(f.Name)); name {
	case "list-id", "list-help", "list-subscribe", "list-unsubscribe", "list-post", "list-owner", "list-archive", "mailing-list", "x-mailing-list", "x-beenthere":
		return List
	case "auto-submitted":
		if v := word(f); v != "" && v != "no" {
			return AutoSubmitted
		}
	case "x-autoreply", "x-autorespond", "x-autoresponder", "x-autoreply-from", "x-auto-reply", "x-failed-recipients", "x-loop":
		if v := word(f); v != "no" && v != "none" {
			return AutoSubmitted
		}
	case "precedence", "x-precedence":
		switch word(f) {
		case "bulk", "junk", "list":
			return Bulk
		case "auto_reply", "auto-reply":
			return AutoSubmitted
		}
	case "x-auto-response-suppress":
		return suppressed(f)
	case "content-type":
		if word(f) == "multipart/report" {
			return Report
		}
	case "x-spam-flag", "x-spam-status":
		if v := word(f); v == "yes" || v == "true" {
			return Spam
		}
	case "x-quarantine": // auth.QuarantineField
		return Spam
	}
	return None
}

// suppressed: OOF is the response of somebody who is away, AutoReply any other.
func suppressed(f mime.Field) Reason {
	for w := range strings.FieldsFuncSeq(string(f.Value), func(r rune) bool { return r == ',' || r == ';' || r <= ' ' }) {
		switch strings.ToLower(w) {
		case "all", "oof", "autoreply":
			return Suppressed
		}
	}
	return None
}

// word is the first word of a value in lower case, without comments and
// parameters behind it.
func word(f mime.Field) string {
	v := bytes.TrimLeft(f.Value, " \t\r\n")
	if i := bytes.IndexAny(v, " \t\r\n;,("); i >= 0 {
		v = v[:i]
	}
	return strings.ToLower(string(v))
}
