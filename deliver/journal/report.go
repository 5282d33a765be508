package journal

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// The fields that tell a report from other mail: the one that archives look
// for, and the one that proves that it is ours.
const (
	reportField = "X-MS-Journal-Report"
	markField   = "x-journal-mark"
)

// boundary is that of the report of a job.
func boundary(job string) string { return "=_journal_" + job }

// trailer closes the report of a job, behind the message that it encloses.
func trailer(job string) string { return "\r\n--" + boundary(job) + "--\r\n" }

// head is a report up to where the message begins that it encloses.
func (j *Journal) head(e *envelope, job *queue.Job) ([]byte, error) {
	var b bytes.Buffer
	if job.Params.Body > smtp.Body7Bit { // RFC 2045 §6.4; the writer takes it out of a multipart's header
		b.WriteString("Content-Transfer-Encoding: " + encodingOf(job.Params.Body) + "\r\n")
	}
	h := j.header(e, job)
	w, err := message.CreateWriter(&b, h.Header)
	if err != nil {
		return nil, err
	}
	text := e.text()
	var th message.Header
	th.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	th.Set("Content-Transfer-Encoding", "7bit")
	if !plain(text) {
		th.Set("Content-Transfer-Encoding", "quoted-printable")
	}
	part, err := w.CreatePart(th)
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(part, text); err != nil {
		return nil, err
	}
	if err := part.Close(); err != nil {
		return nil, err
	}
	var mh message.Header
	mh.Set("Content-Transfer-Encoding", encodingOf(job.Params.Body))
	mh.SetContentType("message/rfc822", nil)
	if e.utf8 {
		mh.SetContentType("message/global", nil)
	}
	if _, err := w.CreatePart(mh); err != nil { // the message follows; Router adds the end
		return nil, err
	}
	return b.Bytes(), nil
}

// header is that of a report.
func (j *Journal) header(e *envelope, job *queue.Job) *mail.Header {
	id := "<" + job.ID + "@" + j.Hostname + ">"
	h := new(mail.Header) // each field is put in front of the earlier ones
	h.SetContentType("multipart/mixed", map[string]string{"boundary": boundary(job.ID)})
	h.Set("MIME-Version", "1.0")
	if len(j.Secret) > 0 {
		h.Set(markField, j.mark(id))
	}
	h.Set(reportField, "")
	h.Set("Auto-Submitted", "auto-generated")
	h.Set("Message-ID", id)
	h.SetDate(job.Created)
	h.Set("Subject", encodedSubject(e.subject))
	h.Set("To", job.Recipients[0].ForwardPath.String())
	from := j.From
	if from == "" {
		from = "postmaster@" + j.Hostname
	}
	h.SetAddressList("From", []*mail.Address{{Name: "Journal", Address: from}})
	return h
}

// text is what the first part says.
func (e *envelope) text() string {
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, oneLine(value)) }
	line("Sender", e.sender.shown)
	line("Subject", e.subject)
	line("Message-Id", e.messageID)
	for _, kind := range [...]string{"To", "Cc", "Bcc", "Recipient"} {
		for i := range e.rcpts {
			r := &e.rcpts[i]
			switch {
			case r.kind != kind:
				continue
			case r.expanded != (party{}):
				line(kind, r.shown+", Expanded: "+r.expanded.shown)
			default:
				line(kind, r.shown)
			}
			if r.more > 0 {
				line("Not-Listed", fmt.Sprintf("%d, Expanded: %s", r.more, r.expanded.shown))
			}
		}
	}
	return b.String()
}

// oneLine makes spaces of control characters, and valid UTF-8 of what is none.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// encodedSubject is a subject for a header field: that of the message, with what
// is no ASCII encoded.
func encodedSubject(s string) string {
	s = oneLine(s)
	if plain(s) {
		return s
	}
	return mime.QEncoding.Encode("utf-8", s)
}

// maxLine is RFC 5322 §2.1.1.
const maxLine = 998

// plain reports text of ASCII in lines that may stand in a message as they are.
func plain(s string) bool {
	for line := range strings.SplitSeq(s, "\r\n") {
		if len(line) > maxLine {
			return false
		}
	}
	return strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// encodingOf is how the octets of a message are declared.
func encodingOf(t smtp.BodyType) string {
	switch t {
	case smtp.Body8BitMIME:
		return "8bit"
	case smtp.BodyBinaryMIME:
		return "binary"
	}
	return "7bit"
}

// mark proves that a report with this Message-ID was made with the Secret.
func (j *Journal) mark(messageID string) string {
	mac := hmac.New(sha256.New, j.Secret)
	io.WriteString(mac, "journal report\x00"+messageID)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (j *Journal) marked(mark, messageID string) bool {
	return len(j.Secret) > 0 && hmac.Equal([]byte(mark), []byte(j.mark(messageID)))
}
