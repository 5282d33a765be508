package mime

import (
	"bytes"
	"iter"
)

// maxFieldName is the number of octets in which the colon of a field is looked
// for; RFC 5322 §2.1.1 allows lines of 998.
const maxFieldName = 1000

// Field is one header field (RFC 5322 §2.2) within a header block.
type Field struct {
	// Name is the field name as it was written, without the colon and white
	// space in front of it. It is empty for a line that is no field.
	Name []byte
	// Value is what stands behind the colon, still folded, without the last
	// line end.
	Value []byte
	// Raw is the whole field with all its line ends.
	Raw []byte
}

// Is compares the name without regard to case; lower is in lower case.
func (f Field) Is(lower string) bool { return equalFold(f.Name, lower) }

// Fields gives the fields of a header block one after the other, up to its
// empty line. Lines end with CRLF or LF. All slices are parts of block.
func Fields(block []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for len(block) > 0 && emptyLine(block) == 0 {
			n := fieldLen(block)
			if !yield(splitField(block[:n])) {
				return
			}
			block = block[n:]
		}
	}
}

// fieldLen returns the length of the first field with its continuation lines.
func fieldLen(b []byte) int {
	n := 0
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return len(b)
		}
		n += i + 1
		if n == len(b) || b[n] != ' ' && b[n] != '\t' {
			return n
		}
	}
}

func splitField(raw []byte) Field {
	f := Field{Raw: raw}
	line := trimLineEnd(raw)
	first := line
	if i := bytes.IndexByte(line, '\n'); i >= 0 {
		first = line[:i]
	}
	first = first[:min(len(first), maxFieldName)]
	colon := bytes.IndexByte(first, ':')
	if colon < 0 {
		f.Value = line
		return f
	}
	name := bytes.TrimRight(line[:colon], " \t")
	if len(name) == 0 || bytes.ContainsAny(name, " \t") {
		f.Value = line
		return f
	}
	f.Name, f.Value = name, line[colon+1:]
	return f
}

func trimLineEnd(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
		if n > 1 && b[n-2] == '\r' {
			b = b[:n-2]
		}
	}
	return b
}

// AppendUnfolded adds a folded value as one line: line ends are removed (RFC
// 5322 §2.2.3), and white space at both ends.
func AppendUnfolded(dst, value []byte) []byte {
	value = bytes.Trim(value, " \t\r\n")
	for {
		i := bytes.IndexByte(value, '\n')
		if i < 0 {
			return append(dst, value...)
		}
		dst = append(dst, trimLineEnd(value[:i+1])...)
		value = value[i+1:]
	}
}
