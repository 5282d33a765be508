package bounce

import (
	"bufio"
	"io"
	"strings"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
)

// maxStatus bounds the octets of a delivery-status part: MaxRecipients with
// some hundred octets each.
const maxStatus = 8 << 20

// maxField bounds one unfolded field.
const maxField = 4 << 10

// readStatus reads message/delivery-status (RFC 3464 §2): fields of the message,
// then a group for each recipient. It reports whether a recipient was found.
func (rep *Report) readStatus(part io.Reader) bool {
	f := fields{r: bufio.NewReaderSize(io.LimitReader(part, maxStatus), maxField)}
	var cur *Recipient
	for {
		name, value, more := f.next()
		switch {
		case !more:
			return len(rep.Recipients) > 0
		case name == "":
			cur = nil
			continue
		case rep.setMessage(name, value):
			continue
		}
		if cur == nil || name == "final-recipient" && cur.Final != "" {
			if !perRecipient(name) {
				continue
			}
			if len(rep.Recipients) == MaxRecipients {
				return true
			}
			rep.Recipients = append(rep.Recipients, Recipient{})
			cur = &rep.Recipients[len(rep.Recipients)-1]
		}
		cur.set(name, value)
	}
}

// fields reads header fields line by line, so that a part of any size needs
// one field of memory.
type fields struct{ r *bufio.Reader }

// next returns the next field, its name in lower case, or an empty name for an
// empty line or one that is no field; more is false at the end.
func (f *fields) next() (name, value string, more bool) {
	line, ok := f.line()
	if !ok {
		return "", "", false
	}
	for {
		c, err := f.r.Peek(1)
		if err != nil || c[0] != ' ' && c[0] != '\t' || line == "" {
			break
		}
		rest, _ := f.line()
		if len(line) < maxField {
			line += " " + strings.TrimSpace(rest)
		}
	}
	name, value, found := strings.Cut(line, ":")
	if name = strings.ToLower(strings.TrimSpace(name)); !found || strings.ContainsAny(name, " \t") {
		return "", "", true
	}
	return name, oneLine(value, maxField), true
}

// line returns a line without its end; what is beyond maxField is passed over.
func (f *fields) line() (string, bool) {
	b, err := f.r.ReadSlice('\n')
	if len(b) == 0 && err != nil {
		return "", false
	}
	line := strings.TrimRight(string(b), "\r\n")
	for err == bufio.ErrBufferFull {
		_, err = f.r.ReadSlice('\n')
	}
	return line, true
}

// setMessage takes a field of the message (RFC 3464 §2.2).
func (rep *Report) setMessage(name, value string) bool {
	switch name {
	case "reporting-mta":
		rep.ReportingMTA = cutType(value)
	case "original-envelope-id":
		rep.EnvelopeID = value
	case "arrival-date":
		rep.Arrival = date(value)
	case "dsn-gateway", "received-from-mta", "x-postfix-queue-id", "x-postfix-sender":
	default:
		return false
	}
	return true
}

func perRecipient(name string) bool {
	switch name {
	case "original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code", "last-attempt-date", "will-retry-until", "x-actual-recipient":
		return true
	}
	return false
}

// set takes a field of a recipient (RFC 3464 §2.3); the first one counts.
func (r *Recipient) set(name, value string) {
	switch name {
	case "original-recipient":
		first(&r.Original, typedAddress(value))
	case "final-recipient":
		first(&r.Final, typedAddress(value))
	case "action":
		if r.Action == NoAction {
			r.Action = actionOf(value)
		}
	case "status":
		if r.Status.IsZero() {
			r.Status = statusIn(value)
		}
	case "remote-mta":
		first(&r.RemoteMTA, cutType(value))
	case "diagnostic-code":
		first(&r.Diagnostic, oneLine(cutType(value), maxDiagnostic))
	case "last-attempt-date":
		r.LastAttempt = date(value)
	case "will-retry-until":
		r.RetryUntil = date(value)
	}
}

const maxDiagnostic = 1000

func first(p *string, v string) {
	if *p == "" {
		*p = v
	}
}

// cutType removes the type in front of a value: "dns; mx.example".
func cutType(v string) string {
	if typ, rest, ok := strings.Cut(v, ";"); ok && len(typ) <= 32 && !strings.ContainsAny(strings.TrimSpace(typ), " \t@<") {
		return strings.TrimSpace(rest)
	}
	return v
}

// typedAddress is the address of "rfc822; user@example" and "utf-8; …", without
// brackets.
func typedAddress(v string) string {
	a := cutType(v)
	if len(a) > 1 && a[0] == '<' {
		if i := strings.LastIndexByte(a, '>'); i > 0 {
			a = a[1:i]
		}
	}
	if len(v) >= 6 && strings.EqualFold(v[:6], "utf-8;") && strings.Contains(a, `\x{`) {
		if plain, err := smtp.ParseUnitext(a); err == nil {
			return oneLine(plain, maxField)
		}
	}
	return a
}

func actionOf(v string) Action {
	switch strings.ToLower(strings.TrimRight(word(v), ".;")) {
	case "failed", "failure", "fail":
		return Failed
	case "delayed", "delay", "warning":
		return Delayed
	case "delivered", "deliverable":
		return Delivered
	case "relayed":
		return Relayed
	case "expanded":
		return Expanded
	}
	return NoAction
}

func word(v string) string {
	v = strings.TrimLeft(v, " \t")
	if i := strings.IndexAny(v, " \t("); i >= 0 {
		v = v[:i]
	}
	return v
}

func date(v string) time.Time {
	t, _ := mime.ParseDate([]byte(v))
	return t
}

// statusIn finds the first enhanced status code that stands in a text by itself;
// zero = there is none.
func statusIn(text string) smtp.EnhancedCode {
	for w := range strings.FieldsFuncSeq(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' }) {
		w = strings.Trim(w, ".")
		if len(w) < 5 || len(w) > 11 || strings.IndexByte("245", w[0]) < 0 || w[1] != '.' || strings.Count(w, ".") != 2 {
			continue
		}
		if c, err := smtp.ParseEnhancedCode(w); err == nil {
			return c
		}
	}
	return smtp.EnhancedCode{}
}

// replyIn finds the first reply code of a text: three digits at its start or behind
// a word that announces a reply, followed by a space, a hyphen or the end.
func replyIn(text string) int {
	prev := ""
	for i, w := range strings.Fields(text) {
		if k := strings.LastIndexByte(w, ';'); k >= 0 && k < len(w)-1 { // "smtp;550"
			prev, w = w[:k+1], w[k+1:]
		}
		code := w
		if n := strings.IndexByte(w, '-'); n == 3 {
			code = w[:3]
		}
		if isReply(code) && (i == 0 || announces(prev)) {
			return int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
		}
		prev = w
	}
	return 0
}

func isReply(w string) bool {
	return len(w) == 3 && (w[0] == '4' || w[0] == '5') && '0' <= w[1] && w[1] <= '5' && '0' <= w[2] && w[2] <= '9'
}

// announces: "said: 550", "<<< 550", "error: 550", "(reason: 550", "smtp; 550".
func announces(prev string) bool {
	return strings.HasSuffix(prev, ":") || strings.HasSuffix(prev, "<") || strings.HasSuffix(prev, ";") || strings.EqualFold(prev, "was") || prev == "<--"
}
