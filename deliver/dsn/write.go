package dsn

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// notice is one DSN.
type notice struct {
	r     *Reporter
	job   *queue.Job
	now   time.Time
	rcpts []rcptStatus
}

// utf8 reports whether the DSN has the international form (RFC 6533 §3), which
// needs SMTPUTF8 all the way back: only where the message needed it on its way
// here. An address beyond ASCII that took the place of another one is written in
// ASCII then.
func (n *notice) utf8() bool { return n.job.ReversePath.NeedsUTF8() || n.job.Params.UTF8 }

// write composes the multipart/report (RFC 6522 §3).
func (n *notice) write(ctx context.Context, w io.Writer) error {
	var h mail.Header // each field is put in front of the earlier ones
	h.SetContentType("multipart/report", map[string]string{"report-type": "delivery-status"})
	h.Set("MIME-Version", "1.0")
	h.Set("Auto-Submitted", "auto-replied") // RFC 3834 §5
	h.Set("Message-ID", "<"+smtp.NewID()+"@"+n.r.Hostname+">")
	h.SetDate(n.now)
	h.SetSubject(n.subject())
	h.Set("To", n.job.ReversePath.String())
	h.SetAddressList("From", []*mail.Address{{Name: "Mail Delivery System", Address: "MAILER-DAEMON@" + n.r.Hostname}})
	mw, err := message.CreateWriter(w, h.Header)
	if err != nil {
		return err
	}
	for _, part := range []func(context.Context, *message.Writer) error{n.explain, n.fields, n.original} {
		if err := part(ctx, mw); err != nil {
			return err
		}
	}
	return mw.Close()
}

func (n *notice) subject() string {
	switch n.rcpts[0].action {
	case "failed":
		return "Undelivered mail returned to sender"
	case "delayed":
		return "Delayed mail (still being retried)"
	}
	return "Successful mail delivery report"
}

// part writes one body part with CRLF line ends.
func part(mw *message.Writer, contentType, encoding string, params map[string]string, body io.Reader) error {
	var h message.Header
	h.SetContentType(contentType, params)
	if encoding != "" {
		h.Set("Content-Transfer-Encoding", encoding)
	}
	w, err := mw.CreatePart(h)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, body); err != nil {
		return err
	}
	return w.Close()
}

// explain is the part for people (RFC 6522 §3).
func (n *notice) explain(_ context.Context, mw *message.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "This is the mail system at %s.\r\n\r\n%s\r\n", n.r.Hostname, map[string]string{
		"failed":  "Your message could not be delivered to the following recipients. It will\r\nnot be tried again.",
		"delayed": "Your message could not be delivered yet to the following recipients. It\r\nis being retried; you need not send it again.",
	}[n.rcpts[0].action])
	for _, s := range n.rcpts {
		fmt.Fprintf(&b, "\r\n<%s>: %s\r\n", s.rcpt.ForwardPath.String(), s.action)
		if d := s.diagnostic(); d != "" {
			host := "this host"
			if s.res.NextHop != "" {
				host = s.res.NextHop
			}
			fmt.Fprintf(&b, "    %s said: %s\r\n", host, d)
		}
	}
	return part(mw, "text/plain", "quoted-printable", map[string]string{"charset": "utf-8"}, strings.NewReader(b.String()))
}

// fields is message/delivery-status (RFC 3464 §2), or its international form.
func (n *notice) fields(_ context.Context, mw *message.Writer) error {
	var b bytes.Buffer
	if n.job.Params.EnvelopeID != "" {
		fmt.Fprintf(&b, "Original-Envelope-Id: %s\r\n", oneLine(n.job.Params.EnvelopeID, 200))
	}
	fmt.Fprintf(&b, "Reporting-MTA: dns; %s\r\n", n.r.Hostname)
	if n.job.Peer.Hello != "" {
		fmt.Fprintf(&b, "Received-From-MTA: dns; %s\r\n", oneLine(n.job.Peer.Hello, 255))
	}
	fmt.Fprintf(&b, "Arrival-Date: %s\r\n", n.job.Created.Format(time.RFC1123Z))
	for _, s := range n.rcpts {
		n.rcptFields(&b, s)
	}
	if n.utf8() {
		return part(mw, "message/global-delivery-status", "8bit", nil, &b)
	}
	return part(mw, "message/delivery-status", "7bit", nil, &b)
}

// rcptFields are the per-recipient fields (RFC 3464 §2.3).
func (n *notice) rcptFields(b *bytes.Buffer, s rcptStatus) {
	b.WriteString("\r\n")
	if o := s.rcpt.Params.Original; !o.IsZero() {
		fmt.Fprintf(b, "Original-Recipient: %s; %s\r\n", oneLine(o.Type, 64), n.address(o.Type, o.Address))
	}
	typ := "rfc822"
	if s.rcpt.ForwardPath.NeedsUTF8() {
		typ = "utf-8" // RFC 6533 §3
	}
	fmt.Fprintf(b, "Final-Recipient: %s; %s\r\n", typ, n.address(typ, s.rcpt.ForwardPath.String()))
	fmt.Fprintf(b, "Action: %s\r\nStatus: %s\r\n", s.action, s.status())
	if s.res.NextHop != "" && s.res.NextHop != "local" {
		fmt.Fprintf(b, "Remote-MTA: dns; %s\r\n", oneLine(mtaName(s.res.NextHop), 255))
	}
	if d := s.diagnostic(); d != "" {
		fmt.Fprintf(b, "Diagnostic-Code: smtp; %s\r\n", d)
	}
	fmt.Fprintf(b, "Last-Attempt-Date: %s\r\n", n.now.Format(time.RFC1123Z))
	if s.action == "delayed" && n.r.RetryUntil != nil {
		fmt.Fprintf(b, "Will-Retry-Until: %s\r\n", n.r.RetryUntil(n.job).Format(time.RFC1123Z))
	}
}

// address is an address of a type as it stands in a field: as it is in the
// international form, else in ASCII (RFC 6533 §3: utf-8-addr-xtext).
func (n *notice) address(typ, address string) string {
	switch {
	case n.utf8():
		return singleLine(address)
	case strings.EqualFold(typ, "utf-8"):
		return string(smtp.AppendUnitext(nil, address, false))
	}
	return oneLine(address, 1000)
}

// mtaName is a host as a dns mta-name: a domain or an address literal
// (RFC 3464 §2.3.5, RFC 5321 §4.1.3).
func mtaName(host string) string {
	addr, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return host
	case addr.Is4():
		return "[" + host + "]"
	}
	return "[IPv6:" + host + "]"
}

// singleLine keeps UTF-8 but no line end or other control.
func singleLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}
