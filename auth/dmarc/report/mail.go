package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
)

// maxTries is how many parts of a message are tried, maxParts how many there may
// be.
const (
	maxTries = 4
	maxParts = 100
)

// ParseMail reads the report in a message: the first part that has one, among
// the first four that may. A message of more than twice MaxPackedBytes is
// ErrTooLarge; one without a report is ErrFormat, or the error of the first part
// that looked like one.
func ParseMail(r io.Reader, limits Limits) (*Report, error) {
	limits = limits.orDefault()
	m, err := readMail(r, limits)
	if err != nil {
		return nil, err
	}
	var first error
	tries := 0
	var found *Report
	m.root.All(func(p *mime.Part) bool {
		if !mayHold(p) {
			return true
		}
		rep, err := Parse(m.content(p), limits)
		if err == nil {
			found = rep
			return false
		}
		if first == nil {
			first = malformed(err)
		}
		tries++
		return tries < maxTries
	})
	switch {
	case found != nil:
		return found, nil
	case first != nil:
		return nil, first
	}
	return nil, fmt.Errorf("%w: no part of the message may be one", ErrFormat)
}

// mail is a message in memory.
type mail struct {
	text []byte
	root *mime.Part
}

func readMail(r io.Reader, limits Limits) (*mail, error) {
	most := limits.MaxPackedBytes
	if most < 1<<62 {
		most *= 2
	}
	text, err := io.ReadAll(&limited{r: r, left: most})
	if err != nil {
		return nil, err
	}
	root, err := mime.Walk(bytes.NewReader(text), int64(len(text)), mime.Limits{MaxDepth: maxDepth, MaxParts: maxParts})
	if err != nil {
		return nil, err
	}
	return &mail{text: text, root: root}, nil
}

// content is the body of a part without its transfer encoding.
func (m *mail) content(p *mime.Part) io.Reader {
	body := bytes.NewReader(m.text[p.Body.Start:p.Body.End])
	switch strings.ToLower(string(p.Encoding)) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		return quotedprintable.NewReader(body)
	}
	return body
}

// mayHold reports whether a part may hold a report, by its media type or the name
// of its file: many have another type than RFC 9990 §3.5.2 says.
func mayHold(p *mime.Part) bool {
	if p.IsMultipart() || p.IsMessage() {
		return false
	}
	switch mediaType(p) {
	case "application/gzip", "application/x-gzip", "application/zip", "application/x-zip", "application/x-zip-compressed", "text/xml", "application/xml":
		return true
	}
	for _, name := range []string{param(p.DispParams, "filename"), param(p.Params, "name")} {
		for _, end := range []string{".xml", ".gz", ".zip"} {
			if strings.HasSuffix(strings.ToLower(name), end) {
				return true
			}
		}
	}
	return false
}

func mediaType(p *mime.Part) string {
	return strings.ToLower(string(p.Type) + "/" + string(p.Subtype))
}

func param(list []mime.Param, name string) string {
	for _, p := range list {
		if strings.EqualFold(string(p.Name), name) || strings.EqualFold(string(p.Name), name+"*") {
			return string(p.Value)
		}
	}
	return ""
}

// IsReport reports whether a header block is that of a report: on DMARC (by the
// Subject that RFC 9990 §3.5.2 wants), on TLS (RFC 8460 §5.3), or of RFC 5965. It
// is what a sender says, so Message.IsReport counts for messages that pass alone.
func IsReport(header []byte) bool {
	for f := range mime.Fields(header) {
		switch {
		case f.Is("tls-report-domain"):
			return true
		case f.Is("subject"):
			if hasPrefixFold(mime.AppendUnfolded(nil, f.Value), "report domain:") {
				return true
			}
		case f.Is("content-type"):
			value := strings.ToLower(string(mime.AppendUnfolded(nil, f.Value[:min(len(f.Value), 1000)])))
			if strings.HasPrefix(value, "multipart/report") && (strings.Contains(value, "feedback-report") || strings.Contains(value, "tlsrpt")) {
				return true
			}
		}
	}
	return false
}

func hasPrefixFold(s []byte, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(string(s[:len(prefix)]), prefix)
}
