package pipe

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/smtp"
)

// ErrProgram is in the chain of what a program answers with another exit status
// than 0.
var ErrProgram = errors.New("pipe: the program failed")

type code = smtp.EnhancedCode

// sysexit is what a code of sysexits.h says; ok is false for others.
func sysexit(status int) (c code, text string, ok bool) {
	switch status {
	case 64:
		return code{Class: 5, Subject: 3}, "Command line usage error", true
	case 65:
		return code{Class: 5, Subject: 6}, "Data format error", true
	case 66:
		return code{Class: 5, Subject: 3}, "Cannot open input", true
	case 67:
		return code{Class: 5, Subject: 1, Detail: 1}, "User unknown", true
	case 68:
		return code{Class: 5, Subject: 1, Detail: 2}, "Host name unknown", true
	case 69:
		return code{Class: 5, Subject: 3}, "Service unavailable", true
	case 70:
		return code{Class: 5, Subject: 3}, "Internal software error", true
	case 71:
		return code{Class: 4, Subject: 3}, "System resource problem", true
	case 72:
		return code{Class: 5, Subject: 3}, "Critical system file missing", true
	case 73:
		return code{Class: 5, Subject: 2}, "Cannot create the user's output file", true
	case 74:
		return code{Class: 5, Subject: 3}, "Input or output error", true
	case 75:
		return code{Class: 4, Subject: 3}, "Temporary failure", true
	case 76:
		return code{Class: 5, Subject: 5}, "Remote error in protocol", true
	case 77:
		return code{Class: 5, Subject: 7}, "Permission denied", true
	case 78:
		return code{Class: 5, Subject: 3, Detail: 5}, "Local configuration error", true
	}
	return code{Class: 4, Subject: 3}, "The delivery program failed", false
}

// judge is the error of a program that ended with status, which is negative for
// one that did not end by itself; nil = delivered.
func judge(status int, output []byte) error {
	if status == 0 {
		return nil
	}
	c, text, _ := sysexit(status)
	first, _, _ := bytes.Cut(output, []byte("\n"))
	line := strings.TrimSpace(printable(first))
	if own, rest, ok := enhanced(line); ok && status > 0 {
		c, text = own, rest
	}
	reply := 450
	if c.Class == 5 {
		reply = 554
	}
	err := fmt.Errorf("%w: exit status %d: %s", ErrProgram, status, line)
	return &smtp.Error{Reply: smtp.NewReply(reply, c, text), Err: err}
}

// enhanced takes an enhanced status code of class 4 or 5 off the start of a line.
func enhanced(line string) (c code, text string, ok bool) {
	word, rest, _ := strings.Cut(line, " ")
	c, err := smtp.ParseEnhancedCode(word)
	if err != nil || c.Class != 4 && c.Class != 5 {
		return code{}, "", false
	}
	if rest = strings.TrimSpace(rest); rest == "" {
		rest = "The delivery program refused the message"
	}
	return c, rest, true
}

// maxText bounds what a program says, in octets.
const maxText = 200

// printable is b in printable ASCII, cut to maxText octets.
func printable(b []byte) string {
	b = bytes.TrimSpace(b)
	out := make([]byte, 0, min(len(b), maxText))
	for _, c := range b[:min(len(b), maxText)] {
		switch {
		case c == '\t':
			c = ' '
		case c < ' ' || c > '~':
			c = '?'
		}
		out = append(out, c)
	}
	return string(out)
}

// capture keeps the beginning of what is written to it.
type capture struct {
	kept  []byte
	limit int
}

// Write takes everything.
func (c *capture) Write(p []byte) (int, error) {
	c.kept = append(c.kept, p[:min(len(p), c.limit-len(c.kept))]...)
	return len(p), nil
}
