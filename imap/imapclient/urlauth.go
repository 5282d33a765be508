package imapclient

import (
	"context"
	"fmt"
	"io"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// AuthorizeURLs makes URLs with which others may fetch messages, or parts of them,
// of the user (GENURLAUTH, RFC 4467 §7): for each that ends with its ";URLAUTH="
// and who may, the whole one. ErrNotOffered without URLAUTH.
func (c *Client) AuthorizeURLs(ctx context.Context, urls ...string) (authorized []string, err error) {
	return asking(ctx, c, imap.CapURLAuth, func() ([]string, error) {
		l := c.command("GENURLAUTH")
		for _, u := range urls {
			l.Str(u).SP("INTERNAL")
		}
		err := c.ask(l, "GENURLAUTH", func(args []byte) error {
			words, err := imapresp.ParseWords(args, len(urls)-len(authorized))
			authorized = append(authorized, words...)
			return err
		})
		if err == nil && len(authorized) != len(urls) {
			err = fmt.Errorf("%w: %d URLs for %d", ErrProtocol, len(authorized), len(urls))
		}
		return authorized, err
	})
}

// ResetURLs makes all URLs void that were authorized for a mailbox, or with "" for
// all of the user's (RESETKEY, RFC 4467 §7). ErrNotOffered without URLAUTH.
func (c *Client) ResetURLs(ctx context.Context, mailbox string) error {
	return c.doing(ctx, imap.CapURLAuth, func() *line {
		if mailbox == "" {
			return c.command("RESETKEY")
		}
		return c.command("RESETKEY").Mailbox(mailbox)
	})
}

// FetchURL writes to w what an authorized URL names (URLFETCH, RFC 4467 §7), and
// says how many octets that are. binary: without the transfer encoding (RFC 5524
// §3), ErrNotOffered without URLAUTH=BINARY. ErrNoURL: it gives nothing. An error
// of w does not harm the connection, see Limits.Discard.
func (c *Client) FetchURL(ctx context.Context, url string, binary bool, w io.Writer) (written int64, err error) {
	item := ""
	if binary {
		item = "BINARY"
	}
	return asking(ctx, c, urlNeeds(item), func() (int64, error) {
		u := &urlFetch{c: c, w: w}
		err := u.run(url, item)
		return u.written, err
	})
}

// URLStructure is the body structure of what an authorized URL names (RFC 5524
// §3); nil = the server knows none. ErrNotOffered without URLAUTH=BINARY.
func (c *Client) URLStructure(ctx context.Context, url string) (*imap.BodyPart, error) {
	const item = "BODYPARTSTRUCTURE"
	return asking(ctx, c, urlNeeds(item), func() (*imap.BodyPart, error) {
		u := &urlFetch{c: c}
		err := u.run(url, item)
		return u.structure, err
	})
}

func urlNeeds(item string) imap.Capability {
	if item == "" {
		return imap.CapURLAuth
	}
	return imap.CapURLAuthBinary
}

// urlFetch is one URLFETCH.
type urlFetch struct {
	c         *Client
	w         io.Writer
	written   int64
	structure *imap.BodyPart
	found     bool
	failed    error // of w
}

func (u *urlFetch) run(url, item string) error {
	l := u.c.command("URLFETCH").Slow()
	if item == "" {
		l.Str(url)
	} else {
		imapcmd.Each(l, []string{url}, func(s string) { l.Value(s).SP(item) })
	}
	u.c.discards = u.c.limits.Discard
	_, err := u.c.conn.Do(l, u.take)
	switch {
	case err != nil:
		return err
	case u.failed != nil:
		return u.failed
	case !u.found:
		return ErrNoURL
	}
	return nil
}

// take reads a response: the URL, and what it gives.
func (u *urlFetch) take(r *response) (bool, error) {
	if r.Name != "URLFETCH" {
		return false, nil
	}
	if u.found {
		return true, errResponse("two texts of one URL")
	}
	chunk, more, first := r.Args, r.Section, true
	for {
		f, err := imapresp.ParseURLFetch(chunk, first, more)
		if err != nil {
			return true, err
		}
		u.found = u.found || f.Found
		if f.Structure != nil {
			u.structure = f.Structure
		}
		if f.Text != nil {
			if err := u.text(f.Text); err != nil {
				return true, err
			}
		}
		if !more {
			return true, nil
		}
		if chunk, more, err = u.c.conn.Rest(); err != nil {
			return true, err
		}
		first = false
	}
}

// text gives a text to w. The error is that of the connection.
func (u *urlFetch) text(v *imapresp.SectionValue) error {
	s := section(u.c, v)
	if u.w != nil && u.failed == nil {
		n, err := s.WriteTo(u.w)
		u.written += n
		if err != nil && u.c.Err() != nil {
			return err
		}
		u.failed = err
	}
	return s.body.Discard(&u.c.discards)
}
