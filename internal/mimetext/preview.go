package mimetext

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // decodes what message.New is given
	"golang.org/x/net/html"

	"github.com/mailstead/mailstead/internal/mime"
)

const (
	// previewChars is the length of a preview in characters: RFC 8970 §3.3
	// says that it SHOULD be at most 200 and MUST be at most 256.
	previewChars = 200
	// previewStep is how much of a text part is read for it first, and
	// previewOctets how much is read when that is not enough.
	previewStep   = 4 << 10
	previewOctets = 64 << 10
	// previewParts is how many text parts are tried until one has text.
	previewParts = 4
)

// Preview returns the text of RFC 8970 for a message that mime.Walk gave t for:
// the start of the first text part that has any, decoded, without markup, each
// run of white space as one space. It is UTF-8 of at most 200 characters, and
// empty when there is no text. The error is one of r.
func Preview(r io.ReaderAt, t *mime.Tree) (string, error) {
	h := t.Headers(r)
	defer h.Close()
	tried := 0
	for i := range t.Len() {
		p := t.Part(i)
		if !p.IsText() || p.Body().Len() == 0 || p.IsAttachment() {
			continue
		}
		e, err := h.Entity(i)
		if err != nil {
			return "", err
		}
		text, err := previewOf(r, p.Body(), e)
		if tried++; err != nil || text != "" || tried == previewParts {
			return text, err
		}
	}
	return "", nil
}

// previewOf reads a little of a body and, where that was not enough, more.
func previewOf(r io.ReaderAt, body mime.Span, e *mime.Entity) (string, error) {
	for size := int64(previewStep); ; size = previewOctets {
		raw := make([]byte, min(body.Len(), size))
		if n, err := r.ReadAt(raw, body.Start); err != nil && (err != io.EOF || n < len(raw)) {
			return "", err
		}
		b := previewText(e, raw)
		if b.chars >= previewChars || size == previewOctets || body.Len() <= size {
			return strings.TrimSpace(b.String()), nil
		}
	}
}

// previewText decodes raw, the start of the body of a part.
func previewText(p *mime.Entity, raw []byte) *previewBuilder {
	b := &previewBuilder{}
	plain := !is(p.Subtype, "html")
	if isUTF8(p) {
		if plain {
			b.add(raw)
		} else {
			b.html(bytes.NewReader(raw))
		}
		return b
	}
	var h message.Header
	h.SetContentType("text/plain", map[string]string{"charset": string(p.Param("charset"))})
	h.Set("Content-Transfer-Encoding", string(p.Encoding))
	var src io.Reader = bytes.NewReader(raw)
	if e, _ := message.New(h, src); e != nil { // an unknown charset or encoding leaves the octets
		src = e.Body
	}
	if plain {
		b.plain(src)
	} else {
		b.html(src)
	}
	return b
}

// isUTF8 reports whether the octets of p stand for themselves: nothing has to
// be decoded.
func isUTF8(p *mime.Entity) bool {
	if len(p.Encoding) > 0 && !is(p.Encoding, "7bit") && !is(p.Encoding, "8bit") &&
		!is(p.Encoding, "binary") {
		return false
	}
	c := p.Param("charset")
	return c == nil || is(c, "utf-8") || is(c, "us-ascii")
}

// previewBuilder gathers characters until it has enough.
type previewBuilder struct {
	strings.Builder
	chars int
	space bool
}

// add takes text and reports whether more is wanted.
func (b *previewBuilder) add(text []byte) bool {
	for len(text) > 0 && b.chars < previewChars {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case unicode.IsSpace(r):
			b.space = b.chars > 0
		case unicode.IsGraphic(r):
			if b.chars == previewChars-1 && b.space {
				b.chars++ // no room for a space and r
				return false
			}
			if b.space {
				b.WriteByte(' ')
				b.chars++
			}
			b.space = false
			b.WriteRune(r)
			b.chars++
		}
	}
	return b.chars < previewChars
}

// plain takes text up to an error of the decoder, which ends it.
func (b *previewBuilder) plain(r io.Reader) {
	text, _ := io.ReadAll(io.LimitReader(r, 8*previewChars))
	for b.add(text) && len(text) > 0 {
		text, _ = io.ReadAll(io.LimitReader(r, 8*previewChars))
	}
}

// html takes the text between tags, without that of scripts and the like.
func (b *previewBuilder) html(r io.Reader) {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(previewOctets)
	hidden := ""
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if s := string(name); s == "style" || s == "script" || s == "title" {
				hidden = s
			}
			b.tag(name)
		case html.SelfClosingTagToken:
			name, _ := z.TagName()
			b.tag(name)
		case html.EndTagToken:
			name, _ := z.TagName()
			if string(name) == hidden {
				hidden = ""
			}
			b.tag(name)
		case html.TextToken:
			if hidden == "" && !b.add(z.Text()) {
				return
			}
		}
	}
}

// tag separates words where a tag does: all but those within a line.
func (b *previewBuilder) tag(name []byte) {
	switch string(name) {
	case "a", "abbr", "b", "big", "code", "em", "font", "i", "s", "small", "span", "strong", "sub", "sup", "tt", "u", "wbr":
	default:
		b.space = b.chars > 0
	}
}

// is compares without regard to case; word is ASCII.
func is(b []byte, word string) bool { return len(b) == len(word) && strings.EqualFold(string(b), word) }
