package pop3client

import "strings"

// Trace are hooks into a session. Each may be nil. They are called from the
// goroutine that uses the Client and must not block.
type Trace struct {
	// Line: a command leaves (client is true), or the first line of a reply
	// came. Secrets are shown as "***": passwords, digests, challenges and
	// responses. text has no line end.
	Line func(client bool, text string)
}

const hidden = "***"

func (c *Client) trace(client bool, text string) {
	if f := c.d.Trace.Line; f != nil {
		f(client, text)
	}
}

// shown is a command without its secrets.
func shown(line string) string {
	keep := -1 // words
	switch verb(line) {
	case "PASS":
		keep = 1
	case "APOP", "AUTH":
		keep = 2
	}
	if keep < 0 {
		return line
	}
	words := strings.Fields(line)
	if len(words) <= keep {
		return strings.Join(words, " ")
	}
	return strings.Join(words[:keep], " ") + " " + hidden
}

// verb is the first word of a command, in upper case.
func verb(line string) string {
	for word := range strings.FieldsSeq(line) {
		return strings.ToUpper(word)
	}
	return ""
}

// scrub takes the secrets of a login out of a text that the server sent.
func (c *Client) scrub(text string) string {
	for _, s := range c.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, hidden)
		}
	}
	return text
}
