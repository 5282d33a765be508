package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/emersion/go-message/charset" // names in other charsets than UTF-8
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"

	"github.com/mailstead/mailstead/smtp"
)

// The bounds of what is sent.
const (
	maxSend       = 1 << 30   // octets
	maxSendHeader = 256 << 10 // octets of the header
)

// draft is a message in a temporary file that has no name, its lines ended by
// CRLF.
type draft struct {
	*os.File
	size     int64
	header   mail.Header
	utf8     bool // 8-bit octets in the header
	eightBit bool // 8-bit octets
}

// draft reads the message, or writes it around a text.
func (c *sendCmd) draft(a *app) (_ *draft, err error) {
	in := a.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, &useError{err.Error()}
		}
		defer f.Close()
		in = f
	}
	f, err := os.CreateTemp("", "mailctl-send-")
	if err != nil {
		return nil, err
	}
	d := &draft{File: f}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	if err := os.Remove(f.Name()); err != nil {
		return nil, err
	}
	w := newLineWriter(d.File, c.Subject == "")
	if c.Subject == "" {
		_, err = io.Copy(w, in)
	} else {
		err = c.compose(w, in)
	}
	if err = errors.Join(err, w.end()); err != nil {
		return nil, err
	}
	d.size, d.utf8, d.eightBit = w.n, w.utf8, w.eightBit
	if d.size == 0 {
		return nil, &useError{"there is no message"}
	}
	return d, d.readHeader()
}

func (d *draft) readHeader() error {
	h, err := textproto.ReadHeader(bufio.NewReader(io.NewSectionReader(d.File, 0, maxSendHeader)))
	if err != nil {
		return &useError{"the message has no header that can be read; --subject writes one around a text"}
	}
	d.header.Header.Header = h
	return nil
}

// body is the message from its beginning.
func (d *draft) body() *smtp.Body {
	return smtp.NewBody(io.NewSectionReader(d.File, 0, d.size), d.size)
}

// compose writes a message around the text of in.
func (c *sendCmd) compose(w io.Writer, in io.Reader) error {
	var h mail.Header
	h.SetSubject(c.Subject)
	if c.From != "" && c.From != "<>" {
		h.SetAddressList("From", []*mail.Address{{Address: c.From}})
	}
	var to []*mail.Address
	for _, address := range c.To {
		to = append(to, &mail.Address{Address: address})
	}
	h.SetAddressList("To", to)
	text := map[string]string{"charset": "utf-8"}
	if len(c.Attach) == 0 {
		h.SetContentType("text/plain", text)
		part, err := mail.CreateSingleInlineWriter(w, h)
		return copyPart(part, in, err)
	}
	m, err := mail.CreateWriter(w, h)
	if err != nil {
		return err
	}
	var inline mail.InlineHeader
	inline.SetContentType("text/plain", text)
	part, err := m.CreateSingleInline(inline)
	if err := copyPart(part, in, err); err != nil {
		return err
	}
	for _, name := range c.Attach {
		if err := attach(m, name); err != nil {
			return err
		}
	}
	return m.Close()
}

func copyPart(part io.WriteCloser, from io.Reader, err error) error {
	if err != nil {
		return err
	}
	_, err = io.Copy(part, from)
	return errors.Join(err, part.Close())
}

func attach(m *mail.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return &useError{"--attach: " + err.Error()}
	}
	defer f.Close()
	var h mail.AttachmentHeader
	kind := mime.TypeByExtension(filepath.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	base, params, err := mime.ParseMediaType(kind)
	if err != nil || strings.HasPrefix(base, "message/") { // base64 is not for messages (RFC 2046 §5.2.1)
		base, params = "application/octet-stream", nil
	}
	h.SetContentType(base, params)
	h.SetFilename(filepath.Base(name))
	part, err := m.CreateAttachment(h)
	return copyPart(part, f, err)
}

// sender is the reverse-path: what was given, or the message's own.
func (d *draft) sender(given string) (smtp.ReversePath, error) {
	if given == "<>" {
		return smtp.ReversePath{}, nil
	}
	for _, field := range [...]string{"Sender", "From"} {
		if given != "" {
			break
		}
		list, err := d.header.AddressList(field)
		if err != nil {
			return smtp.ReversePath{}, &useError{fmt.Sprintf("%s of the message cannot be read: %v; --from says it", field, err)}
		}
		if len(list) > 0 {
			given = list[0].Address
		}
	}
	if given == "" {
		return smtp.ReversePath{}, &useError{"the message has no From; --from says it"}
	}
	p, err := smtp.ParseMailbox(given, true)
	if err != nil {
		return smtp.ReversePath{}, &useError{fmt.Sprintf("from: %q is no address", given)}
	}
	return smtp.ReversePath{Path: p}, nil
}

// recipients are those given, or those of the message.
func (d *draft) recipients(given []string) (list []smtp.Path, err error) {
	if len(given) == 0 {
		for _, field := range [...]string{"Resent-To", "Resent-Cc", "Resent-Bcc"} {
			if d.header.Has(field) {
				return nil, &useError{"the message was resent; --to says to whom it goes"}
			}
		}
		for _, field := range [...]string{"To", "Cc", "Bcc"} {
			for values := d.header.FieldsByKey(field); values.Next(); {
				addresses, err := addressList(values.Value())
				if err != nil {
					return nil, &useError{fmt.Sprintf("%s of the message cannot be read: %v; --to says to whom it goes", field, err)}
				}
				given = append(given, addresses...)
			}
		}
	}
	for _, address := range given {
		p, err := smtp.ParseMailbox(address, true)
		if err != nil {
			return nil, &useError{fmt.Sprintf("to: %q is no address", address)}
		}
		list = append(list, p)
	}
	if len(list) == 0 {
		return nil, &useError{"there are no recipients; --to names them"}
	}
	return list, nil
}

func addressList(value string) (addresses []string, err error) {
	if strings.TrimSpace(value) == "" {
		return nil, nil
	}
	list, err := mail.ParseAddressList(value)
	for _, a := range list {
		addresses = append(addresses, a.Address)
	}
	return addresses, err
}

// lineWriter ends all lines by CRLF, and looks at what goes by. A line "From …"
// of mbox in front of the header is left out.
type lineWriter struct {
	w        *bufio.Writer
	n        int64
	first    bool // this may be a line of mbox
	held     []byte
	cr       bool // the last octet was CR
	blank    bool // the line has no octets yet
	body     bool // behind the header
	utf8     bool
	eightBit bool
}

func newLineWriter(w io.Writer, mbox bool) *lineWriter {
	return &lineWriter{w: bufio.NewWriter(w), first: mbox}
}

var errTooLong = &useError{fmt.Sprintf("the message is greater than %d octets", maxSend)}

// Write implements io.Writer.
func (l *lineWriter) Write(p []byte) (int, error) {
	written := len(p)
	if l.first {
		l.held = append(l.held, p...)
		if len(l.held) < len("From ") {
			return written, nil
		}
		rest := l.held
		if bytes.HasPrefix(rest, []byte("From ")) {
			i := bytes.IndexByte(rest, '\n')
			if i < 0 && len(rest) < maxSendHeader {
				return written, nil
			}
			rest = rest[i+1:]
		}
		l.first, l.held, p = false, nil, rest
	}
	if l.n+int64(len(p)) > maxSend {
		return 0, errTooLong
	}
	for _, c := range p {
		l.put(c)
	}
	return written, nil
}

// put takes one octet; errors of the writer come at the end.
func (l *lineWriter) put(c byte) {
	if l.cr && c != '\n' {
		l.newline() // a bare CR
	}
	switch l.cr = c == '\r'; c {
	case '\r':
	case '\n':
		l.newline()
	default:
		if c >= 0x80 {
			l.eightBit = true
			l.utf8 = l.utf8 || !l.body
		}
		l.blank = false
		l.n++
		_ = l.w.WriteByte(c)
	}
}

func (l *lineWriter) newline() {
	l.body = l.body || l.blank && l.n > 0
	l.blank, l.cr = true, false
	l.n += 2
	_, _ = l.w.WriteString("\r\n")
}

// end completes the last line.
func (l *lineWriter) end() error {
	held := l.held
	l.first, l.held = false, nil
	for _, c := range held {
		l.put(c)
	}
	if l.cr || l.n > 0 && !l.blank {
		l.newline()
	}
	return l.w.Flush()
}
