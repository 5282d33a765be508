package submission

import (
	"bytes"

	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

// maxLine is the greatest length of a line in octets, without its end (RFC 5322
// §2.1.1).
const maxLine = 998

// fold sees to lines that are too long. Where there are lines that are no fields
// all of it may be text, which has no such limit here.
func (f *Fixes) fold(h *smtppolicy.Header) error {
	if h.Malformed() {
		return nil
	}
	var err error
	h.Rewrite(func(_ string, field []byte) []byte {
		if !tooLong(field) {
			return field
		}
		folded, ok := foldField(field)
		if f.LongLines == RefuseLines || !ok {
			err = malformed("Message has a header line of more than 998 octets")
			return field
		}
		return folded
	})
	return err
}

// tooLong reports a field with a line that is too long.
func tooLong(field []byte) bool {
	if len(field) <= maxLine {
		return false
	}
	for line := range bytes.Lines(field) {
		if len(bytes.TrimRight(line, "\r\n")) > maxLine {
			return true
		}
	}
	return false
}

// foldField puts line ends in front of white space until every line is short
// enough. Unfolded, the field is what it was (RFC 5322 §2.2.3).
func foldField(field []byte) ([]byte, bool) {
	out := make([]byte, 0, len(field)+len(field)/512*2)
	for line := range bytes.Lines(field) {
		for len(bytes.TrimRight(line, "\r\n")) > maxLine {
			at := foldAt(line)
			if at < 0 {
				return nil, false
			}
			out = append(append(out, line[:at]...), "\r\n"...)
			line = line[at:]
		}
		out = append(out, line...)
	}
	return out, true
}

// foldAt is where a line is folded: at the last white space within the limit
// that has text on both sides, so that no line is blank; -1 = there is none.
func foldAt(line []byte) int {
	text := len(bytes.TrimRight(line, " \t\r\n"))
	for i := min(maxLine, text-1); i > 0; i-- {
		if (line[i] == ' ' || line[i] == '\t') && len(bytes.TrimLeft(line[:i], " \t")) > 0 {
			return i
		}
	}
	return -1
}
