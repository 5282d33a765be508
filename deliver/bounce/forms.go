package bounce

import (
	"bytes"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/internal/reportread"
)

// form is one way to write a bounce for people: a phrase, behind which
// recipients stand, each with its reason.
type form struct {
	name   string
	mark   string // in lower case; in the text before opener, "" = anywhere
	opener string // in lower case: the list begins behind it
	action Action
	angle  bool // only addresses in angle brackets begin an entry
	inline bool // the address stands behind opener in its line
}

// forms are those that are known; the first one that fits counts. Delays stand
// in front of failures, since some say both.
func forms() []form {
	return []form{
		{name: "qmail", opener: "hi. this is the", action: Failed, angle: true},
		{name: "yahoo", opener: "unable to deliver message to the following address", action: Failed, angle: true},
		{name: "postfix", mark: "warning only", opener: "could not be delivered for", action: Delayed, angle: true},
		{name: "postfix", mark: "this is the postfix program", opener: "could not be delivered to", action: Failed, angle: true},
		{name: "postfix", mark: "this is the mail system at host", opener: "could not be delivered to", action: Failed, angle: true},
		{name: "courier", mark: "courier mail server", opener: "recipients cannot be delivered", action: Failed, angle: true},
		{name: "courier", mark: "courier mail server", opener: "has not been delivered yet", action: Delayed, angle: true},
		{name: "exim", opener: "to which the message has not yet been delivered", action: Delayed},
		{name: "exim", mark: "created automatically by mail delivery software", opener: "following address(es) failed", action: Failed},
		{name: "sendmail", opener: "had transient non-fatal errors -----", action: Delayed},
		{name: "sendmail", opener: "had permanent fatal errors -----", action: Failed},
		{name: "sendmail", opener: "had delivery problems -----", action: Failed},
		{name: "exchange", opener: "recipient(s) could not be reached", action: Failed},
		{name: "exchange", opener: "recipient(s) cannot be reached", action: Failed},
		{name: "exchange", opener: "delivery is delayed to these recipients", action: Delayed},
		{name: "exchange", opener: "delivery has failed to these recipients", action: Failed},
		{name: "iis", opener: "delivery to the following recipients has been delayed", action: Delayed},
		{name: "iis", opener: "delivery to the following recipients failed", action: Failed},
		{name: "gmail", opener: "delivery to the following recipient has been delayed", action: Delayed},
		{name: "gmail", opener: "delivery to the following recipient failed permanently", action: Failed},
		{name: "gmail", opener: "your message wasn't delivered to", action: Failed, inline: true},
		{name: "aol", opener: "your mail to the following recipients could not be delivered", action: Failed},
		{name: "domino", mark: "your message", opener: "was not delivered to:", action: Failed},
		{name: "groupwise", opener: "was undeliverable to the following", action: Failed},
		{name: "mdaemon", mark: "permanent fatal delivery errors", opener: "failed address:", action: Failed, inline: true},
		{name: "imail", opener: "invalid final delivery userid:", action: Failed, inline: true},
		{name: "imail", opener: "user mailbox exceeds allowed size:", action: Failed, inline: true},
		{name: "imail", opener: "unknown user:", action: Failed, inline: true},
		{name: "imail", opener: "undeliverable to", action: Failed, inline: true},
		{name: "opensmtpd", mark: "this is the mailer-daemon", opener: "the following list of recipients", action: Failed},
	}
}

// readForms looks for each form in the text, then for X-Failed-Recipients.
func (s *scan) readForms() {
	text := strings.ReplaceAll(strings.ToValidUTF8(string(s.text), "?"), "\r\n", "\n")
	lower := strings.ReplaceAll(asciiLower(text), "\n", " ") // of the same length, a phrase may go over two lines
	for _, f := range forms() {
		at := f.find(text, lower)
		if at < 0 {
			continue
		}
		l := list{form: f, rep: s.rep}
		l.read(text[at:])
		if len(s.rep.Recipients) > 0 {
			s.rep.Format = f.name
			break
		}
	}
	s.addFailed(lower)
	if s.rep.Format != "" && s.rep.Header == nil {
		s.copied(text)
	}
}

// find is where the list begins, or −1.
func (f form) find(text, lower string) int {
	start := 0
	if f.mark != "" {
		if start = strings.Index(lower, f.mark); start < 0 {
			return -1
		}
	}
	if f.name == "qmail" && !strings.HasPrefix(strings.TrimLeft(lower, " \r\n\t"), f.opener) {
		return -1
	}
	at := strings.Index(lower[start:], f.opener)
	if at < 0 {
		return -1
	}
	at += start
	if f.inline { // the whole line, and at its start
		begin := strings.LastIndexByte(text[:at], '\n') + 1
		if strings.TrimSpace(text[begin:at]) != "" {
			return -1
		}
	}
	return at + len(f.opener)
}

// list reads entries: an address, and text up to the next one.
type list struct {
	form
	rep  *Report
	cur  *Recipient
	text strings.Builder
	seen map[string]bool
}

// maxEntries bounds the recipients of a text of maxText.
const maxEntries = 500

func (l *list) read(text string) {
	l.seen = map[string]bool{}
	first, inTranscript := true, false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case first && !l.inline:
			first = false // the rest of the opener's own line
			continue
		case isBreak(line) && len(l.seen) > 0:
			if inTranscript = strings.Contains(strings.ToLower(line), "transcript"); !inTranscript {
				l.close()
				return
			}
			continue
		case inTranscript:
			l.add(said(line))
			continue
		}
		addr, rest, ok := l.entry(line)
		if ok && l.inline && !first {
			ok = false
		}
		first = false
		if !ok {
			l.add(line)
			continue
		}
		l.open(addr, rest)
	}
	l.close()
}

// said is what the other host said in a line of a transcript, "" for others.
func said(line string) string {
	for _, mark := range []string{"<<<", "<--"} {
		if _, text, ok := strings.Cut(line, mark); ok {
			return text
		}
	}
	return ""
}

func (l *list) open(addr, rest string) {
	key := strings.ToLower(addr)
	if l.seen[key] || len(l.seen) == maxEntries {
		l.add(rest)
		return
	}
	l.close()
	l.seen[key] = true
	l.rep.Recipients = append(l.rep.Recipients, Recipient{Final: addr, Action: l.action})
	l.cur = &l.rep.Recipients[len(l.rep.Recipients)-1]
	if l.inline {
		l.add(l.opener) // it is the reason
	}
	l.add(rest)
}

func (l *list) add(text string) {
	if l.cur != nil && l.text.Len() < 2*maxDiagnostic {
		l.text.WriteString(text)
		l.text.WriteByte('\n')
	}
}

func (l *list) close() {
	if l.cur != nil {
		l.cur.Diagnostic = oneLine(strings.TrimLeft(l.text.String(), ":. \t"), maxDiagnostic)
		if l.cur.Status.IsZero() {
			l.cur.Status = statusIn(l.cur.Diagnostic)
		}
	}
	l.cur = nil
	l.text.Reset()
}

// isBreak: a line that begins with hyphens ends the list; behind it is the
// message, or a transcript.
func isBreak(line string) bool {
	t := strings.TrimLeft(line, " \t")
	return strings.HasPrefix(t, "---") || strings.EqualFold(t, "RFC822 message follows")
}

// entry finds an address that begins an entry: <user@host>, 'user@host', or
// user@host alone or before a colon, a bracket or a date; or "A Name
// (user@host)" alone.
func (l *list) entry(line string) (addr, rest string, ok bool) {
	t := strings.TrimLeft(line, " \t*")
	if t == "" || len(t) > 2*maxDiagnostic {
		return "", "", false
	}
	switch {
	case t[0] == '<' && !strings.HasPrefix(t, "<<<"):
		addr, rest, ok = strings.Cut(t[1:], ">")
	case l.angle:
		return "", "", false
	case t[0] == '\'' || t[0] == '"' && strings.Count(t, `"`) > 1 && !strings.Contains(t, `"@`):
		addr, rest, ok = strings.Cut(t[1:], t[:1])
	default:
		end := strings.IndexAny(t, " \t(:")
		if end < 0 {
			end = len(t)
		}
		addr, rest, ok = strings.TrimRight(t[:end], ",.;"), t[end:], true
		if !isAddress(addr) {
			return named(t)
		}
	}
	rest = strings.TrimLeft(rest, " \t")
	if !ok || !isAddress(addr) {
		return "", "", false
	}
	if l.inline || rest == "" || strings.IndexByte(":(#.[", rest[0]) >= 0 || strings.HasPrefix(rest, "on ") {
		return addr, strings.TrimLeft(rest, ": \t"), true
	}
	return "", "", false
}

// named: "Bob Example (bob@example.net)", as Exchange writes it.
func named(t string) (addr, rest string, ok bool) {
	t = strings.TrimRight(t, " \t")
	for _, pair := range []string{"()", "<>"} {
		i, end := strings.LastIndexByte(t, pair[0]), strings.LastIndexByte(t, pair[1])
		if i <= 0 || end < i || len(strings.Fields(t[:i])) > 5 || strings.Contains(t[:i], ":") {
			continue
		}
		if addr, rest = t[i+1:end], t[end+1:]; isAddress(addr) && (rest == "" || strings.HasPrefix(rest, " on ")) {
			return addr, rest, true
		}
	}
	return "", "", false
}

// addFailed takes X-Failed-Recipients for what it says: these failed.
func (s *scan) addFailed(lower string) {
	if len(s.failed) == 0 {
		return
	}
	known := map[string]bool{}
	for i := range s.rep.Recipients {
		known[strings.ToLower(s.rep.Recipients[i].Final)] = true
	}
	if s.rep.Format == "" {
		s.rep.Format = "x-failed-recipients"
	}
	text := ""
	if len(s.failed) == 1 {
		text = oneLine(beforeBreak(lower), maxDiagnostic)
	}
	for _, a := range s.failed {
		if key := strings.ToLower(a); !known[key] && len(s.rep.Recipients) < MaxRecipients {
			known[key] = true
			s.rep.Recipients = append(s.rep.Recipients, Recipient{Final: a, Action: Failed, Diagnostic: text})
		}
	}
}

// beforeBreak is a text up to its copy of the message.
func beforeBreak(text string) string {
	n := 0
	for line := range strings.Lines(text) {
		if isBreak(line) {
			break
		}
		n += len(line)
	}
	return text[:n]
}

// copied finds the message behind the last line that announces it.
func (s *scan) copied(text string) {
	rest := ""
	for at := 0; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		at = min(at+len(line)+1, len(text))
		if l := strings.ToLower(line); isBreak(line) && (strings.Contains(l, "message") || strings.Contains(l, "copy") || strings.Contains(l, "header")) {
			rest = strings.TrimLeft(text[at:], " \t\r\n")
			break
		}
	}
	header := reportread.HeaderOf([]byte(rest))
	for f := range mime.Fields(header) {
		if len(f.Name) == 0 {
			return // prose
		}
	}
	if len(header) > 0 {
		s.returned(header)
	}
}

// stripTags makes lines of HTML: what stands in tags is gone, and each tag that
// ends a line ends one.
func stripTags(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '<')
		if i < 0 {
			return append(out, b...)
		}
		out = append(out, b[:i]...)
		b = b[i:]
		end := bytes.IndexByte(b[:min(len(b), 1<<10)], '>')
		if end < 0 {
			out, b = append(out, '<'), b[1:]
			continue
		}
		switch tag := strings.ToLower(strings.Trim(string(b[1:end]), "/ ")); {
		case strings.HasPrefix(tag, "br"), strings.HasPrefix(tag, "p"), strings.HasPrefix(tag, "div"), strings.HasPrefix(tag, "tr"), strings.HasPrefix(tag, "li"):
			out = append(out, '\n')
		case strings.Contains(tag, "@"):
			out = append(out, b[:end+1]...)
		}
		b = b[end+1:]
	}
	return out
}

func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
