package imapclient

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// need is ErrNotOffered where a capability is missing.
func (c *Client) need(capability imap.Capability) error {
	if c.Has(capability) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotOffered, capability)
}

// ask sends a command and has parse read the responses of a name.
func (c *Client) ask(ctx context.Context, build func() *line, name string, parse func(args []byte) error) error {
	return c.run(ctx, func() error {
		_, err := c.do(build(), func(r *response) (bool, error) {
			if r.name != name {
				return false, nil
			}
			return true, parse(r.args)
		})
		return err
	})
}

// named is a command with one mailbox.
func (c *Client) named(ctx context.Context, verb, mailbox string) error {
	return c.run(ctx, func() error { return c.simple(c.command(verb).mailbox(mailbox)) })
}

// Create makes a mailbox, with special uses where the server takes them (RFC
// 6154 §3); else they are left out. mailboxID is "" where the server did not say.
func (c *Client) Create(ctx context.Context, mailbox string, uses ...imap.Attr) (mailboxID string, err error) {
	err = c.run(ctx, func() error {
		l := c.command("CREATE").mailbox(mailbox)
		if len(uses) > 0 && c.Has(imap.CapCreateSpecial) {
			l.text(" (USE (")
			for i, u := range uses {
				if i > 0 {
					l.text(" ")
				}
				if u == "" || u[0] != '\\' {
					l.fail(fmt.Errorf("%w: special use %q", ErrArgument, u))
				}
				l.flag(string(u))
			}
			l.text("))")
		}
		status, err := c.do(l, nil)
		if status.Code == imap.CodeMailboxID {
			mailboxID = imapresp.ParseObjectID(status.Args)
		}
		return err
	})
	return mailboxID, err
}

// Delete removes a mailbox and its messages.
func (c *Client) Delete(ctx context.Context, mailbox string) error {
	return c.named(ctx, "DELETE", mailbox)
}

// Rename renames a mailbox and those below it. The messages of INBOX move, and
// it stays (RFC 9051 §6.3.6).
func (c *Client) Rename(ctx context.Context, from, to string) error {
	return c.run(ctx, func() error { return c.simple(c.command("RENAME").mailbox(from).mailbox(to)) })
}

// Subscribe subscribes to a name.
func (c *Client) Subscribe(ctx context.Context, mailbox string) error {
	return c.named(ctx, "SUBSCRIBE", mailbox)
}

// Unsubscribe ends a subscription.
func (c *Client) Unsubscribe(ctx context.Context, mailbox string) error {
	return c.named(ctx, "UNSUBSCRIBE", mailbox)
}

// Quota asks for a quota root (RFC 9208 §4.2.1). ErrNotOffered without QUOTA.
func (c *Client) Quota(ctx context.Context, root string) (q imap.QuotaRoot, err error) {
	if err := c.need(imap.CapQuota); err != nil {
		return q, err
	}
	err = c.ask(ctx, func() *line { return c.command("GETQUOTA").str(root) }, "QUOTA", func(args []byte) (err error) {
		q, err = imapresp.ParseQuota(args)
		return err
	})
	return q, err
}

// QuotaRoots asks for those of a mailbox (RFC 9208 §4.2.2). One that the user may
// not see has no Resources. ErrNotOffered without QUOTA.
func (c *Client) QuotaRoots(ctx context.Context, mailbox string) (roots []imap.QuotaRoot, err error) {
	if err := c.need(imap.CapQuota); err != nil {
		return nil, err
	}
	err = c.run(ctx, func() error {
		_, err := c.do(c.command("GETQUOTAROOT").mailbox(mailbox), func(r *response) (bool, error) {
			switch r.name {
			case "QUOTAROOT":
				_, names, err := imapresp.ParseNamed(r.args, c.mailboxName, c.limits.List)
				for _, n := range names {
					roots = append(roots, imap.QuotaRoot{Name: n})
				}
				return true, err
			case "QUOTA":
				q, err := imapresp.ParseQuota(r.args)
				for i := range roots {
					if roots[i].Name == q.Name {
						roots[i] = q
					}
				}
				return true, err
			}
			return false, nil
		})
		return err
	})
	return roots, err
}

// SetQuota replaces the limits of a root (RFC 9208 §4.1.3): by resource, STORAGE
// in units of 1024 octets. ErrNotOffered without QUOTA.
func (c *Client) SetQuota(ctx context.Context, root string, limits map[string]int64) (q imap.QuotaRoot, err error) {
	if err := c.need(imap.CapQuota); err != nil {
		return q, err
	}
	build := func() *line {
		l := c.command("SETQUOTA").str(root).text(" (")
		first := true
		for name, limit := range limits {
			if !first {
				l.text(" ")
			}
			first = false
			l.word(name).number(limit)
		}
		return l.text(")")
	}
	err = c.ask(ctx, build, "QUOTA", func(args []byte) (err error) {
		q, err = imapresp.ParseQuota(args)
		return err
	})
	return q, err
}

// ACL asks who may do what (RFC 4314 §3.3). ErrNotOffered without ACL.
func (c *Client) ACL(ctx context.Context, mailbox string) (list []imap.ACLEntry, err error) {
	err = c.askNamed(ctx, "ACL", func() *line { return c.command("GETACL").mailbox(mailbox) }, func(words []string) error {
		if len(words)%2 != 0 {
			return imapErr("ACL without rights")
		}
		for i := 0; i < len(words); i += 2 {
			list = append(list, imap.ACLEntry{Identifier: words[i], Rights: words[i+1]})
		}
		return nil
	})
	return list, err
}

// SetACL gives an identifier exactly these rights; with "+" or "-" in front it
// adds or removes them (RFC 4314 §3.1). ErrNotOffered without ACL.
func (c *Client) SetACL(ctx context.Context, mailbox, identifier, rights string) error {
	if err := c.need(imap.CapACL); err != nil {
		return err
	}
	return c.run(ctx, func() error {
		return c.simple(c.command("SETACL").mailbox(mailbox).str(identifier).str(rights))
	})
}

// DeleteACL takes an identifier from the list (RFC 4314 §3.2). ErrNotOffered
// without ACL.
func (c *Client) DeleteACL(ctx context.Context, mailbox, identifier string) error {
	if err := c.need(imap.CapACL); err != nil {
		return err
	}
	return c.run(ctx, func() error { return c.simple(c.command("DELETEACL").mailbox(mailbox).str(identifier)) })
}

// MyRights asks what the user may do (RFC 4314 §3.5). ErrNotOffered without ACL.
func (c *Client) MyRights(ctx context.Context, mailbox string) (rights string, err error) {
	err = c.askNamed(ctx, "MYRIGHTS", func() *line { return c.command("MYRIGHTS").mailbox(mailbox) }, func(words []string) error {
		if len(words) != 1 {
			return imapErr("MYRIGHTS without rights")
		}
		rights = words[0]
		return nil
	})
	return rights, err
}

// ListRights asks what can be given to an identifier: required is what it always
// has, optional are sets of rights that go together (RFC 4314 §3.4).
// ErrNotOffered without ACL.
func (c *Client) ListRights(ctx context.Context, mailbox, identifier string) (required string, optional []string, err error) {
	build := func() *line { return c.command("LISTRIGHTS").mailbox(mailbox).str(identifier) }
	err = c.askNamed(ctx, "LISTRIGHTS", build, func(words []string) error {
		if len(words) < 2 {
			return imapErr("LISTRIGHTS without rights")
		}
		required, optional = words[1], words[2:]
		return nil
	})
	return required, optional, err
}

// askNamed is ask for the responses of ACL: a mailbox and words.
func (c *Client) askNamed(ctx context.Context, name string, build func() *line, parse func(words []string) error) error {
	if err := c.need(imap.CapACL); err != nil {
		return err
	}
	return c.ask(ctx, build, name, func(args []byte) error {
		_, words, err := imapresp.ParseNamed(args, c.mailboxName, 2*c.limits.List)
		if err != nil {
			return err
		}
		return parse(words)
	})
}

// MetadataOptions of Metadata.
type MetadataOptions struct {
	MaxSize int64  // octets of a value; longer ones are left out; 0 = any
	Depth   string // "1" or "infinity": entries below those named, too; "" = 0
}

// Metadata asks for annotations of a mailbox, or with "" of the server (RFC 5464
// §4.2). An entry without a value is there with nil, or left out. ErrNotOffered
// without METADATA.
func (c *Client) Metadata(ctx context.Context, mailbox string, o MetadataOptions, entries ...string) (found []imap.MetadataEntry, err error) {
	if err := c.needMetadata(mailbox); err != nil {
		return nil, err
	}
	build := func() *line {
		l := c.command("GETMETADATA")
		var options []string
		if o.MaxSize > 0 {
			options = append(options, "MAXSIZE "+itoa(o.MaxSize))
		}
		if o.Depth != "" {
			options = append(options, "DEPTH "+o.Depth)
		}
		if len(options) > 0 {
			l.raw("(" + strings.Join(options, " ") + ")")
		}
		l.pattern(mailbox).text(" (")
		for i, e := range entries {
			if i > 0 {
				l.text(" ")
			}
			l.value(e)
		}
		return l.text(")")
	}
	err = c.ask(ctx, build, "METADATA", func(args []byte) error {
		_, got, _, err := imapresp.ParseMetadata(args, c.mailboxName, c.limits.List)
		if found = append(found, got...); len(found) > c.limits.List {
			return imapresp.ErrTooMany
		}
		return err
	})
	return found, err
}

// SetMetadata sets annotations of a mailbox, or with "" of the server (RFC 5464
// §4.3); a nil Value removes one. ErrNotOffered without METADATA.
func (c *Client) SetMetadata(ctx context.Context, mailbox string, entries ...imap.MetadataEntry) error {
	if err := c.needMetadata(mailbox); err != nil {
		return err
	}
	return c.run(ctx, func() error {
		l := c.command("SETMETADATA").pattern(mailbox).text(" (")
		for i, e := range entries {
			if i > 0 {
				l.text(" ")
			}
			l.value(e.Name).text(" ")
			if e.Value == nil {
				l.text("NIL")
			} else {
				l.bytes(e.Value)
			}
		}
		return c.simple(l.text(")"))
	})
}

func (c *Client) needMetadata(mailbox string) error {
	if mailbox == "" && c.Has(imap.CapMetadataServer) {
		return nil
	}
	return c.need(imap.CapMetadata)
}
