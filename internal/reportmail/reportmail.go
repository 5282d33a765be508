// Package reportmail composes the messages that carry reports to other domains,
// and hands them to a smtp.Receiver: what the reports of DMARC and of TLS have in
// common (RFC 9990 §3.5.2, RFC 8460 §5.3).
package reportmail

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"

	"github.com/mailstead/mailstead/smtp"
)

// Message is a message with a report.
type Message struct {
	ID         string // of the report, and the left side of the Message-ID
	Domain     string // the right side of it
	From       string // a mailbox
	To         []string
	Subject    string
	Date       time.Time
	Fields     [][2]string // more header fields
	ReportType string      // of multipart/report; "" = multipart/mixed

	Text      string // for people
	MediaType string // of the report
	Filename  string
	Data      []byte
}

// Compose is the message, without a signature.
func (m *Message) Compose() ([]byte, error) {
	var h mail.Header // each field is put in front of the earlier ones
	if m.ReportType == "" {
		h.SetContentType("multipart/mixed", nil)
	} else {
		h.SetContentType("multipart/report", map[string]string{"report-type": m.ReportType})
	}
	h.Set("MIME-Version", "1.0")
	h.Set("Auto-Submitted", "auto-generated") // RFC 3834 §5
	for i := len(m.Fields) - 1; i >= 0; i-- {
		h.Set(m.Fields[i][0], m.Fields[i][1])
	}
	h.SetMessageID(m.ID + "@" + m.Domain)
	h.SetDate(m.Date)
	h.SetSubject(m.Subject)
	h.SetAddressList("To", addresses(m.To...))
	h.SetAddressList("From", addresses(m.From))
	var b bytes.Buffer
	w, err := message.CreateWriter(&b, h.Header)
	if err != nil {
		return nil, err
	}
	var text, data message.Header
	text.SetContentType("text/plain", map[string]string{"charset": "utf-8"})
	text.Set("Content-Transfer-Encoding", "quoted-printable")
	data.SetContentType(m.MediaType, map[string]string{"name": m.Filename}) // what many look at
	data.SetContentDisposition("attachment", map[string]string{"filename": m.Filename})
	data.Set("Content-Transfer-Encoding", "base64")
	if err := part(w, text, []byte(m.Text)); err != nil {
		return nil, err
	}
	if err := part(w, data, m.Data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func part(mw *message.Writer, h message.Header, body []byte) error {
	w, err := mw.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Close()
}

func addresses(list ...string) (out []*mail.Address) {
	for _, a := range list {
		out = append(out, &mail.Address{Address: a})
	}
	return out
}

// Signer makes the DKIM-Signature fields of a message; *dkim.Signer is one.
type Signer interface {
	Sign(message io.Reader) ([]byte, error)
}

// Outbox takes messages.
type Outbox struct {
	Receiver    smtp.Receiver
	Signer      Signer           // nil = who receives signs
	ReversePath smtp.ReversePath // zero = the null one
}

// Send hands a message over, for those of its recipients that are taken: one
// transaction, so that all or none is sent. It returns who was taken. Those that
// are refused for good are left out; where one is refused for now, or the message
// is, nothing is sent and there is an error. A Receiver that knows Mail.Once
// takes a message with the same ID once. What is no mailbox of SMTP is no
// recipient, and does not stand in the header either.
func (o *Outbox) Send(ctx context.Context, m *Message) (sent []string, err error) {
	rcpts, to := recipients(m.To)
	if len(rcpts) == 0 {
		return nil, nil
	}
	known := *m
	known.To = to
	text, err := known.Compose()
	if err != nil {
		return nil, err
	}
	if o.Signer != nil {
		fields, err := o.Signer.Sign(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("sign: %w", err)
		}
		text = append(fields, text...)
	}
	t, err := o.Receiver.Begin(ctx, &smtp.Mail{ID: smtp.NewID(), ReversePath: o.ReversePath, Once: "report:" + m.ID, Received: m.Date})
	if err != nil {
		return nil, err
	}
	defer t.Abort()
	if sent, err = rcpt(ctx, t, rcpts, to); err != nil || len(sent) == 0 {
		return nil, err
	}
	status, err := t.Data(ctx, smtp.NewBody(bytes.NewReader(text), int64(len(text))))
	switch {
	case err != nil:
		return nil, err
	case len(status) != len(sent):
		return nil, smtp.ErrStatusCount
	}
	return delivered(sent, status)
}

// recipients are the addresses that are mailboxes of SMTP: they stand in the
// records of strangers.
func recipients(to []string) (rcpts []*smtp.Recipient, addresses []string) {
	for _, address := range to {
		path, err := smtp.ParseForwardPath("<"+address+">", false)
		if err != nil {
			continue
		}
		rcpts = append(rcpts, &smtp.Recipient{ForwardPath: path, Params: smtp.RcptParams{Notify: smtp.NotifyNever}})
		addresses = append(addresses, address)
	}
	return rcpts, addresses
}

// rcpt offers the recipients, and returns the addresses of those that are taken.
func rcpt(ctx context.Context, t smtp.Transaction, rcpts []*smtp.Recipient, to []string) (taken []string, err error) {
	results := t.Rcpt(ctx, rcpts)
	if len(results) != len(rcpts) {
		return nil, smtp.ErrStatusCount
	}
	for i, err := range results {
		switch {
		case err == nil:
			taken = append(taken, to[i])
		case !smtp.IsPermanent(err):
			return nil, err
		}
	}
	return taken, nil
}

// delivered are those whose status is good. The report goes on where one is: it
// is not sent twice for the sake of the others.
func delivered(to []string, status []smtp.RcptStatus) (sent []string, err error) {
	var errs []error
	for i, s := range status {
		switch {
		case s.Err == nil:
			sent = append(sent, to[i])
		case !smtp.IsPermanent(s.Err):
			errs = append(errs, s.Err)
		}
	}
	if len(sent) > 0 {
		return sent, nil
	}
	return nil, errors.Join(errs...)
}

// ID is an identifier of letters and digits that is the same for the same parts.
func ID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return strings.ToLower(idEncoding.EncodeToString(h.Sum(nil)[:20]))
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// FileName is the name of a file with a report (RFC 9990 §3.5.2, RFC 8460 §5.1);
// nothing in it is what a path or a header field takes for its own.
func FileName(submitter, domain string, begin, end time.Time, id, extension string) string {
	return fmt.Sprintf("%s!%s!%d!%d!%s.%s", Safe(submitter), Safe(domain), begin.Unix(), end.Unix(), Safe(id), extension)
}

// Safe is s with "_" for what is not a letter, a digit, "-", "." or "_".
func Safe(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' {
			return r
		}
		return '_'
	}, s)
}

// Subject is that of a report (RFC 9990 §3.5.2, RFC 8460 §5.3).
func Subject(domain, submitter, id string) string {
	return "Report Domain: " + Safe(domain) + " Submitter: " + Safe(submitter) + " Report-ID: <" + id + ">"
}

// EncodedLen is about how long n octets are in base64, with line ends.
func EncodedLen(n int) int64 {
	return int64((n+2)/3*4) * 78 / 76
}
