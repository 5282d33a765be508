package imapclient

import (
	"bytes"
	"context"

	"github.com/mailstead/mailstead/imap"
)

// Command is one that has no method here. Its methods add an argument each, with
// a space in front. The zero value has no name.
type Command struct {
	// Untagged is shown each untagged response first, FETCH apart, whole and
	// without its CRLF; true = it is dealt with. The line is not kept. It must not
	// use the Client.
	Untagged func(line []byte) (taken bool)

	// Long: Timeouts.Long bounds it, not Command.
	Long bool

	name string
	args []func(l *line)
}

// NewCommand begins a command of one word or several: "GETANNOTATION", "UID X".
func NewCommand(name string) *Command { return &Command{name: name} }

// Raw adds text as it stands: words, strings in quotes, and "(" and ")" of lists that
// other arguments may end or begin, with no space in front of the ")". Any other quote,
// "{" and line ends are ErrArgument.
func (c *Command) Raw(s string) *Command { return c.arg(func(l *line) { l.Piece(s) }) }

// String adds a string, quoted or as a literal.
func (c *Command) String(s string) *Command { return c.arg(func(l *line) { l.Str(s) }) }

// Mailbox adds the name of a mailbox, given in UTF-8.
func (c *Command) Mailbox(name string) *Command { return c.arg(func(l *line) { l.Mailbox(name) }) }

// Set adds a set of UIDs.
func (c *Command) Set(uids imap.UIDSet) *Command { return c.arg(func(l *line) { l.UIDs(uids) }) }

func (c *Command) arg(add func(l *line)) *Command {
	c.args = append(c.args, add)
	return c
}

// Do sends a command and returns its OK; a refusal is an *Error. It must not
// change the state of the session: what commands with methods of their own do,
// they have to do.
func (c *Client) Do(ctx context.Context, cmd *Command) (status imap.StatusResponse, err error) {
	err = c.run(ctx, func() error {
		l := c.command(cmd.name)
		l.Long = cmd.Long
		for _, add := range cmd.args {
			add(l)
		}
		status, err = c.conn.Do(l, func(r *response) (bool, error) {
			if cmd.Untagged == nil || r.Section || r.Name == "FETCH" || r.Name == "UIDFETCH" || r.Name == "URLFETCH" {
				return false, nil
			}
			return cmd.Untagged(bytes.TrimRight(r.Line, "\r\n")), nil
		})
		return err
	})
	return status, err
}
