package migrate

import (
	"bytes"
	"io"
	"time"

	"github.com/mailstead/mailstead/internal/headblock"
	"github.com/mailstead/mailstead/internal/mime"
)

// DateOf is when a message arrived, by its header: the date of the first Received
// field, else the Date field; zero = neither can be read. header holds the whole
// header or the beginning of it.
func DateOf(header []byte) time.Time {
	received, date := headerField(header, "Received"), headerField(header, "Date")
	if i := bytes.LastIndexByte(received, ';'); i >= 0 {
		if t, ok := mime.ParseDate(received[i+1:]); ok {
			return t
		}
	}
	t, _ := mime.ParseDate(date)
	return t
}

// headerField is the value of the first field of a name, unfolded.
func headerField(header []byte, want string) []byte {
	var value []byte
	found := false
	for len(header) > 0 {
		line, rest, _ := bytes.Cut(header, []byte("\n"))
		header = rest
		line = bytes.TrimRight(line, "\r")
		switch {
		case len(line) == 0:
			return value
		case line[0] == ' ' || line[0] == '\t':
			if found {
				value = append(value, line...)
			}
			continue
		case found:
			return value
		}
		name, v, ok := bytes.Cut(line, []byte(":"))
		if ok && bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte(want)) {
			found, value = true, append(value, v...)
		}
	}
	return value
}

// ReadHeader reads the header of a message, up to the empty line or 64 KiB.
func ReadHeader(r io.Reader) ([]byte, error) {
	head, _, err := headblock.Read(nil, r, maxPrintHeader)
	return head, err
}
