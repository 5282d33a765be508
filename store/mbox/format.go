package mbox

import (
	"bytes"
	"errors"
	"strings"
	"time"
)

// Format is a variant of mbox; see the package comment.
type Format uint8

// The variants.
const (
	MboxRD Format = iota
	MboxO
	MboxCL
	MboxCL2
)

func (f Format) counts() bool { return f == MboxCL || f == MboxCL2 }

// Errors of the package.
var (
	// ErrFormat: the file does not begin with a separator line.
	ErrFormat = errors.New("mbox: no mbox file: it does not begin with a From line")
	// ErrLocked: another program held a lock for too long.
	ErrLocked = errors.New("mbox: file is locked by another program")
	// ErrSender: the sender cannot stand in a separator line.
	ErrSender = errors.New("mbox: sender with control character or space")
)

const fromWord = "From "

// maxFromLine bounds a separator line in octets.
const maxFromLine = 2048

// separator is the content of a separator line.
type separator struct {
	sender string
	date   time.Time
	offset int64 // where it begins
}

// dateLayouts are ctime's and its common extensions.
var dateLayouts = [...]string{
	time.ANSIC, "Mon Jan _2 15:04:05 2006 -0700", "Mon Jan _2 15:04:05 MST 2006",
	"Mon Jan _2 15:04:05 -0700 2006", "Mon Jan _2 15:04 2006", "Mon Jan _2 15:04 MST 2006",
}

// parseSeparator reads "From SENDER DATE" with or without its line end. The
// sender may be empty, or hold spaces, as some programs write it.
func parseSeparator(line []byte) (s separator, ok bool) {
	if len(line) > maxFromLine || !bytes.HasPrefix(line, []byte(fromWord)) {
		return s, false
	}
	rest := strings.TrimRight(string(line[len(fromWord):]), "\r\n")
	if uucp := strings.Index(rest, " remote from "); uucp >= 0 {
		rest = rest[:uucp]
	}
	fields := strings.Fields(rest)
	for i := max(0, len(fields)-7); i+5 <= len(fields); i++ {
		date := strings.Join(fields[i:], " ")
		for _, layout := range dateLayouts {
			if t, err := time.Parse(layout, date); err == nil {
				return separator{sender: strings.Join(fields[:i], " "), date: t}, true
			}
		}
	}
	return s, false
}

// appendSeparator writes a separator line. "" stands for the null
// reverse-path, which is written as MAILER-DAEMON.
func appendSeparator(dst []byte, sender string, date time.Time) ([]byte, error) {
	if sender == "" {
		sender = "MAILER-DAEMON"
	}
	for i := range len(sender) {
		if sender[i] <= ' ' || sender[i] == 0x7f {
			return nil, ErrSender
		}
	}
	if len(sender) > maxFromLine-64 {
		return nil, ErrSender
	}
	dst = append(append(append(dst, fromWord...), sender...), ' ')
	return append(date.UTC().AppendFormat(dst, time.ANSIC), '\n'), nil
}
