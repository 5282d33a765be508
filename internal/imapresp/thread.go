package imapresp

import (
	"io"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// ParseThread reads what stands behind THREAD (RFC 5256 §4), of up to limit
// messages. It does not recurse: nesting is bounded by limit alone.
func ParseThread(b []byte, limit int) ([]*imap.Thread, error) {
	root := &imap.Thread{}
	// Each open list hangs below parent; last is the message before, of which
	// the next one is an answer.
	type frame struct{ parent, last *imap.Thread }
	stack := []frame{{root, root}}
	total := 0
	for n := 0; ; {
		n += spaces(b[n:])
		if n == len(b) {
			return nil, io.ErrUnexpectedEOF
		}
		top := &stack[len(stack)-1]
		switch c := b[n]; {
		case c == '\r' || c == '\n':
			if len(stack) > 1 {
				return nil, syntax(n, "thread is not closed")
			}
			return root.Replies, nil
		case c == '(':
			parent := top.last
			if len(stack) > 1 && top.last == top.parent && n > 0 && b[n-1] == '(' {
				// A list begins with a list: its message is not there.
				parent = &imap.Thread{}
				top.parent.Replies = append(top.parent.Replies, parent)
				top.last = parent
			}
			if total++; total > limit {
				return nil, ErrTooMany
			}
			stack = append(stack, frame{parent, parent})
			n++
		case c == ')':
			if len(stack) == 1 {
				return nil, syntax(n, "thread is not open")
			}
			stack = stack[:len(stack)-1]
			n++
		default:
			v, m, err := imapwire.ConsumeNZNumber(b[n:])
			if err != nil {
				return nil, err
			}
			if len(stack) == 1 {
				return nil, syntax(n, "number outside of a thread")
			}
			if total++; total > limit {
				return nil, ErrTooMany
			}
			t := &imap.Thread{UID: imap.UID(v)}
			top.last.Replies = append(top.last.Replies, t)
			top.last = t
			n += m
		}
	}
}
