package downgrade

import (
	"bytes"
	"strings"

	"github.com/mailstead/mailstead/internal/mime"
)

// form is what becomes of the body of a part.
type form uint8

const (
	asIs      form = iota // passes as it is, whatever it holds
	undecided             // held until an octet beyond ASCII is seen
	checked               // passes, but must not hold an octet beyond ASCII
	toQuoted
	toBase64
)

// part is the part whose body is being read.
type part struct {
	form     form
	encoding string // Content-Transfer-Encoding in lower case; "" = none
	fault    error  // why it cannot be converted; nil = it can
	typed    bool   // it has a Content-Type
	version  bool   // it has MIME-Version
	message  bool   // its header is that of a message
}

// inHeader collects a header block.
func (w *Writer) inHeader(frag []byte) error {
	start := len(w.header) == 0 || w.header[len(w.header)-1] == '\n'
	if w.opts.ASCIIHeader && !ascii(frag) {
		return ErrHeader
	}
	w.header = append(w.header, frag...)
	if start && (string(frag) == "\r\n" || string(frag) == "\n") {
		return w.endHeader(len(frag))
	}
	if len(w.header) > maxHeader {
		return w.longHeader()
	}
	return nil
}

// inHeaderBlock reports whether the empty line behind the header is yet to
// come.
func (w *Writer) inHeaderBlock() bool { return len(w.header) > 0 && w.part.form != undecided }

// longHeader passes a part on whose header is too long to be looked into.
func (w *Writer) longHeader() error {
	w.part = part{form: checked, fault: ErrStructure}
	if !w.opts.No8Bit {
		w.part.form = asIs
	}
	return w.emitHeader("")
}

// endHeader decides what the part is. The last n octets are the empty line.
func (w *Writer) endHeader(n int) error {
	tree, err := mime.Walk(bytes.NewReader(w.header), int64(len(w.header)), mime.Limits{})
	if err != nil {
		return err
	}
	root := tree.Root()
	w.part = part{encoding: strings.ToLower(string(root.Encoding)), message: w.isMessage()}
	for f := range mime.Fields(w.header) {
		w.part.typed = w.part.typed || f.Is("content-type")
		w.part.version = w.part.version || f.Is("mime-version")
	}
	typ, subtype := strings.ToLower(string(root.Type)), strings.ToLower(string(root.Subtype))
	if !w.part.typed && len(w.stack) > 0 && w.stack[len(w.stack)-1].digest {
		typ, subtype = "message", "rfc822"
	}
	inside := w.part.encoding == "" || w.part.encoding == "7bit" || w.part.encoding == "8bit" || w.part.encoding == "binary"
	switch boundary := bytes.TrimRight(root.Param("boundary"), " \t"); {
	case !inside:
	case typ == "multipart" && len(boundary) > 0 && len(boundary) <= maxBoundary && len(w.stack) < maxDepth:
		return w.open(entity{
			boundary: bytes.Clone(boundary),
			frozen:   w.frozen() || subtype == "signed" || subtype == "encrypted",
			digest:   subtype == "digest",
		})
	case typ == "message" && subtype == "rfc822" && len(w.stack) < maxDepth:
		return w.open(entity{frozen: w.frozen(), message: true})
	case typ == "multipart", typ == "message" && !strings.HasPrefix(subtype, "global"):
		w.part.fault = ErrStructure
	}
	if w.frozen() {
		w.part.fault = ErrSigned
	}
	return w.leaf(inside)
}

// open enters a multipart or a message.
func (w *Writer) open(e entity) error {
	label := ""
	switch enc := w.part.encoding; {
	case e.frozen: // what is in there stays
	case w.opts.No8Bit && (enc == "8bit" || enc == "binary"):
		label = "7bit"
	case w.opts.NoBinary && enc == "binary":
		label = "8bit"
	}
	if err := w.emitHeader(label); err != nil {
		return err
	}
	w.stack = append(w.stack, e)
	w.part = part{}
	w.state = (*Writer).between
	if e.message {
		w.state = (*Writer).inHeader
	}
	return nil
}

// leaf decides about a part without structure; plain: its encoding is none.
func (w *Writer) leaf(plain bool) error {
	w.state = (*Writer).body
	switch p := &w.part; {
	case !plain:
	case p.encoding == "binary" && w.opts.NoBinary:
		return w.convert(toBase64)
	case w.opts.No8Bit && p.fault != nil:
		p.form = checked
	case w.opts.No8Bit:
		p.form = undecided
		return nil
	}
	return w.emitHeader("")
}

// convert starts an encoding of the body.
func (w *Writer) convert(f form) error {
	if w.part.fault != nil {
		return w.part.fault
	}
	w.part.form = f
	if f == toBase64 {
		return w.emitHeader("base64")
	}
	return w.emitHeader("quoted-printable")
}

// emitHeader writes the header, with another Content-Transfer-Encoding if one
// is given.
func (w *Writer) emitHeader(encoding string) error {
	header := w.header
	if encoding != "" {
		header = w.relabel(encoding)
	}
	err := w.put(header)
	w.header = w.header[:0]
	if w.part.form == checked || w.part.form == asIs {
		w.state = (*Writer).body
	}
	return err
}

func (w *Writer) relabel(encoding string) []byte {
	var out []byte
	n := 0
	for f := range mime.Fields(w.header) {
		if !f.Is("content-transfer-encoding") {
			out = append(out, f.Raw...)
		}
		n += len(f.Raw)
	}
	leaf := encoding == "base64" || encoding == "quoted-printable"
	if w.part.message && !w.part.version {
		out = append(out, "MIME-Version: 1.0\r\n"...)
	}
	if leaf && !w.part.typed {
		out = append(out, "Content-Type: text/plain; charset=unknown-8bit\r\n"...) // RFC 1428 §3
	}
	out = append(out, "Content-Transfer-Encoding: "+encoding+"\r\n"...)
	return append(out, w.header[n:]...)
}

// body takes a fragment of the body of a leaf.
func (w *Writer) body(frag []byte) error {
	switch w.part.form {
	case undecided:
		return w.decide(frag)
	case toQuoted:
		return w.quoted.write(frag)
	case toBase64:
		return w.coded.write(frag)
	case checked:
		if !ascii(frag) {
			return w.part.fault
		}
	}
	return w.put(frag)
}

// decide holds the body until it shows whether it has to be converted.
func (w *Writer) decide(frag []byte) error {
	w.held = append(w.held, frag...)
	switch {
	case !ascii(frag), len(w.held) > maxHeld && w.part.encoding == "8bit":
		if err := w.convert(toQuoted); err != nil {
			return err
		}
	case len(w.held) > maxHeld:
		w.part.form = asIs
		if err := w.emitHeader(""); err != nil {
			return err
		}
	default:
		return nil
	}
	return w.release()
}

// release passes on what was held.
func (w *Writer) release() error {
	held := w.held
	w.held = w.held[:0]
	if w.part.form == toQuoted {
		return w.quoted.write(held)
	}
	return w.put(held)
}

// endPart ends the body of a leaf; boundary: a boundary line follows.
func (w *Writer) endPart(boundary bool) error {
	f := w.part.form
	w.part = part{}
	switch f {
	case undecided:
		if err := w.emitHeader(""); err != nil {
			return err
		}
		return w.release()
	case toQuoted:
		err := w.quoted.close()
		w.quoted = quoted{w: w.w, line: w.quoted.line[:0]}
		return err
	case toBase64:
		err := w.coded.close(boundary)
		w.coded = coded{w: w.w, rest: w.coded.rest[:0], in: w.coded.in, out: w.coded.out}
		return err
	}
	return nil
}
