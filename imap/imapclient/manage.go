package imapclient

import (
	"context"
	"fmt"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapcmd"
	"github.com/mailstead/mailstead/internal/imapresp"
)

// named is a command with one mailbox.
func (c *Client) named(ctx context.Context, verb, mailbox string) error {
	return c.doing(ctx, "", func() *line { return c.command(verb).Mailbox(mailbox) })
}

// Create makes a mailbox, with special uses where the server takes them (RFC
// 6154 §3); else they are left out. mailboxID is "" where the server did not say.
func (c *Client) Create(ctx context.Context, mailbox string, uses ...imap.Attr) (mailboxID string, err error) {
	return asking(ctx, c, "", func() (id string, err error) {
		l := c.command("CREATE").Mailbox(mailbox)
		if len(uses) > 0 && c.Has(imap.CapCreateSpecial) {
			imapcmd.Each(l.Text(" (USE"), uses, func(u imap.Attr) {
				if u == "" || u[0] != '\\' {
					l.Fail(fmt.Errorf("%w: special use %q", ErrArgument, u))
				}
				l.Flag(string(u))
			}).Text(")")
		}
		status, err := c.conn.Do(l, nil)
		if status.Code == imap.CodeMailboxID {
			id = imapresp.ParseObjectID(status.Args)
		}
		return id, err
	})
}

// Delete removes a mailbox and its messages.
func (c *Client) Delete(ctx context.Context, mailbox string) error {
	return c.named(ctx, "DELETE", mailbox)
}

// Rename renames a mailbox and those below it. The messages of INBOX move, and
// it stays (RFC 9051 §6.3.6).
func (c *Client) Rename(ctx context.Context, from, to string) error {
	return c.doing(ctx, "", func() *line { return c.command("RENAME").Mailbox(from).Mailbox(to) })
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
	return asking(ctx, c, imap.CapQuota, func() (imap.QuotaRoot, error) { return c.quota(c.command("GETQUOTA").Str(root)) })
}

// SetQuota replaces the limits of a root (RFC 9208 §4.1.3): by resource, STORAGE
// in units of 1024 octets. ErrNotOffered without QUOTA.
func (c *Client) SetQuota(ctx context.Context, root string, limits map[string]int64) (q imap.QuotaRoot, err error) {
	return asking(ctx, c, imap.CapQuota, func() (imap.QuotaRoot, error) {
		l := c.command("SETQUOTA").Str(root)
		return c.quota(imapcmd.Each(l, imapcmd.Keys(limits), func(name string) { l.Word(name).Number(limits[name]) }))
	})
}

func (c *Client) quota(l *line) (q imap.QuotaRoot, err error) {
	err = c.ask(l, "QUOTA", func(args []byte) (err error) {
		q, err = imapresp.ParseQuota(args)
		return err
	})
	return q, err
}

// QuotaRoots asks for those of a mailbox (RFC 9208 §4.2.2). One that the user may
// not see has no Resources. ErrNotOffered without QUOTA.
func (c *Client) QuotaRoots(ctx context.Context, mailbox string) (roots []imap.QuotaRoot, err error) {
	return asking(ctx, c, imap.CapQuota, func() ([]imap.QuotaRoot, error) {
		_, err := c.conn.Do(c.command("GETQUOTAROOT").Mailbox(mailbox), func(r *response) (bool, error) {
			switch r.Name {
			case "QUOTAROOT":
				_, names, err := imapresp.ParseNamed(r.Args, c.mailboxName, c.limits.List)
				for _, n := range names {
					roots = append(roots, imap.QuotaRoot{Name: n})
				}
				return true, err
			case "QUOTA":
				q, err := imapresp.ParseQuota(r.Args)
				for i := range roots {
					if roots[i].Name == q.Name {
						roots[i] = q
					}
				}
				return true, err
			}
			return false, nil
		})
		return roots, err
	})
}

// ACL asks who may do what (RFC 4314 §3.3). ErrNotOffered without ACL.
func (c *Client) ACL(ctx context.Context, mailbox string) (list []imap.ACLEntry, err error) {
	return asking(ctx, c, imap.CapACL, func() ([]imap.ACLEntry, error) {
		words, err := c.rights("ACL", c.command("GETACL").Mailbox(mailbox), 0)
		for len(words) > 1 {
			list = append(list, imap.ACLEntry{Identifier: words[0], Rights: words[1]})
			words = words[2:]
		}
		return list, err
	})
}

// SetACL gives an identifier exactly these rights; with "+" or "-" in front it
// adds or removes them (RFC 4314 §3.1). ErrNotOffered without ACL.
func (c *Client) SetACL(ctx context.Context, mailbox, identifier, rights string) error {
	return c.doing(ctx, imap.CapACL, func() *line { return c.command("SETACL").Mailbox(mailbox).Str(identifier).Str(rights) })
}

// DeleteACL takes an identifier from the list (RFC 4314 §3.2). ErrNotOffered
// without ACL.
func (c *Client) DeleteACL(ctx context.Context, mailbox, identifier string) error {
	return c.doing(ctx, imap.CapACL, func() *line { return c.command("DELETEACL").Mailbox(mailbox).Str(identifier) })
}

// MyRights asks what the user may do (RFC 4314 §3.5). ErrNotOffered without ACL.
func (c *Client) MyRights(ctx context.Context, mailbox string) (rights string, err error) {
	return asking(ctx, c, imap.CapACL, func() (string, error) {
		words, err := c.rights("MYRIGHTS", c.command("MYRIGHTS").Mailbox(mailbox), 1)
		if err != nil {
			return "", err
		}
		return words[0], nil
	})
}

// ListRights asks what can be given to an identifier: required is what it always
// has, optional are sets of rights that go together (RFC 4314 §3.4).
// ErrNotOffered without ACL.
func (c *Client) ListRights(ctx context.Context, mailbox, identifier string) (required string, optional []string, err error) {
	words, err := asking(ctx, c, imap.CapACL, func() ([]string, error) {
		return c.rights("LISTRIGHTS", c.command("LISTRIGHTS").Mailbox(mailbox).Str(identifier), 2)
	})
	if err != nil {
		return "", nil, err
	}
	return words[1], words[2:], nil
}

// rights are the words behind the mailbox in a response of ACL: least of them, or
// pairs where that is 0.
func (c *Client) rights(name string, l *line, least int) (words []string, err error) {
	err = c.ask(l, name, func(args []byte) (err error) {
		_, words, err = imapresp.ParseNamed(args, c.mailboxName, 2*c.limits.List)
		if err == nil && (len(words) < least || least == 0 && len(words)%2 != 0) {
			err = errResponse(name + " without rights")
		}
		return err
	})
	if err == nil && len(words) < least {
		err = fmt.Errorf("%w: no %s response", ErrProtocol, name)
	}
	return words, err
}

// Metadata asks for annotations of a mailbox, or with "" of the server (RFC 5464
// §4.2). An entry without a value is there with nil, or left out. ErrNotOffered
// without METADATA.
func (c *Client) Metadata(ctx context.Context, mailbox string, o imap.MetadataOptions, entries ...string) (found []imap.MetadataEntry, err error) {
	return asking(ctx, c, c.metadataNeeds(mailbox), func() ([]imap.MetadataEntry, error) {
		l := c.command("GETMETADATA")
		if o.Depth != "" && !imapcmd.IsWord(o.Depth) {
			l.Fail(fmt.Errorf("%w: depth %q", ErrArgument, o.Depth))
		}
		l.Options("", imapcmd.Option{Name: fmt.Sprintf("MAXSIZE %d", o.MaxSize), On: o.MaxSize > 0},
			imapcmd.Option{Name: "DEPTH " + o.Depth, On: o.Depth != ""})
		imapcmd.Each(l.Pattern(mailbox), entries, func(e string) { l.Value(e) })
		err := c.ask(l, "METADATA", func(args []byte) error {
			_, got, _, err := imapresp.ParseMetadata(args, c.mailboxName, c.limits.List)
			if found = append(found, got...); len(found) > c.limits.List {
				return imapresp.ErrTooMany
			}
			return err
		})
		return found, err
	})
}

// SetMetadata sets annotations of a mailbox, or with "" of the server (RFC 5464
// §4.3); a nil Value removes one. ErrNotOffered without METADATA.
func (c *Client) SetMetadata(ctx context.Context, mailbox string, entries ...imap.MetadataEntry) error {
	return c.doing(ctx, c.metadataNeeds(mailbox), func() *line {
		l := c.command("SETMETADATA").Pattern(mailbox)
		return imapcmd.Each(l, entries, func(e imap.MetadataEntry) {
			l.Value(e.Name).Text(" ")
			if e.Value == nil {
				l.Text("NIL")
			} else {
				l.Bytes(e.Value)
			}
		})
	})
}

func (c *Client) metadataNeeds(mailbox string) imap.Capability {
	if mailbox == "" && c.Has(imap.CapMetadataServer) {
		return imap.CapMetadataServer
	}
	return imap.CapMetadata
}
