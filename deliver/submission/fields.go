package submission

import (
	"context"
	"fmt"
	"time"

	"github.com/mailstead/mailstead/internal/mime"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

func malformed(text string) error {
	return smtp.Errorf(554, smtp.EnhancedCode{Class: 5, Subject: 6}, "%s", text)
}

func notYours(text string) error {
	return smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "%s", text)
}

func notNow(err error) error {
	return &smtp.Error{Reply: smtp.NewReply(451, smtp.EnhancedCode{Class: 4, Subject: 3}, "Cannot look up the sender now"), Err: err}
}

// lacks says which fields a message came without. Asked before anything is
// added: a text without a header has one from then on.
type lacks struct{ date, messageID bool }

func lacksOf(h *smtppolicy.Header) lacks {
	return lacks{date: h.Count("Date") == 0, messageID: h.Count("Message-ID") == 0}
}

// date adds Date and Message-ID where they are missing (RFC 6409 §8.2, §8.3).
func (f *Fixes) date(m *smtp.Mail, h *smtppolicy.Header, missing lacks) {
	if missing.date {
		when := m.Received
		if when.IsZero() {
			when = time.Now()
		}
		h.Add("Date: " + when.Format(time.RFC1123Z) + "\r\n")
	}
	if missing.messageID {
		h.Add(fmt.Sprintf("Message-ID: <%s@%s>\r\n", m.ID, f.Hostname))
	}
}

// sender sees to From and Sender.
func (f *Fixes) sender(ctx context.Context, m *smtp.Mail, h *smtppolicy.Header) error {
	if h.Count("From") > 1 {
		return malformed("Message has more than one From field")
	}
	authors := mailboxes(h.Value("From"))
	if len(authors) == 0 {
		if err := f.addFrom(ctx, m, h); err != nil {
			return err
		}
		authors = mailboxes(h.Value("From"))
	}
	if f.Owns == nil || m.Peer == nil || m.Peer.Identity == "" {
		return nil
	}
	if len(authors) > maxAuthors {
		return malformed("Message has too many addresses in From")
	}
	own, err := f.owns(ctx, m.Peer.Identity, authors)
	if err != nil {
		return err
	}
	if !own && f.Foreign == RefuseForeign {
		return notYours("The address in From is not yours")
	}
	return f.fixSender(ctx, m, h, !own || len(authors) > 1)
}

// fixSender makes Sender name the account: where it is needed, since From does
// not (RFC 5322 §3.6.2), and where it names somebody else.
func (f *Fixes) fixSender(ctx context.Context, m *smtp.Mail, h *smtppolicy.Header, needed bool) error {
	said := mailboxes(h.Value("Sender"))
	if h.Count("Sender") == 1 && len(said) == 1 {
		own, err := f.owns(ctx, m.Peer.Identity, said)
		if err != nil || own {
			return err
		}
		if f.Foreign == RefuseForeign {
			return notYours("The address in Sender is not yours")
		}
		needed = true
	} else if h.Count("Sender") == 0 && !needed {
		return nil
	}
	h.Remove(func(name, _ string) bool { return name == "sender" })
	if !needed {
		return nil
	}
	address, ok, err := f.address(ctx, m)
	switch {
	case err != nil:
		return notNow(err)
	case !ok:
		return notYours("The address in From is not yours, and you have none for Sender")
	}
	h.Add("Sender: " + address.String() + "\r\n")
	return nil
}

// addFrom adds From where it has no address (RFC 6409 §8.1 has the identity that
// the submitter proved). A group without members is left (RFC 6854).
func (f *Fixes) addFrom(ctx context.Context, m *smtp.Mail, h *smtppolicy.Header) error {
	if isGroup(h.Value("From")) && !f.RequireFrom {
		return nil
	}
	address, ok := asciiPath(m.ReversePath.Path, m.Params.UTF8)
	if ok = ok && !m.ReversePath.IsNull(); !ok {
		var err error
		if address, ok, err = f.address(ctx, m); err != nil {
			return notNow(err)
		}
	}
	if f.RequireFrom || !ok && m.Peer != nil && m.Peer.Identity != "" {
		return malformed("Message has no address in From")
	}
	if ok {
		h.Remove(func(name, _ string) bool { return name == "from" })
		h.Add("From: " + address.String() + "\r\n")
	}
	return nil
}

// address is that of the account which submits m.
func (f *Fixes) address(ctx context.Context, m *smtp.Mail) (smtp.Path, bool, error) {
	if m.Peer == nil || m.Peer.Identity == "" {
		return smtp.Path{}, false, nil
	}
	if f.Author == nil {
		p, err := smtp.ParseMailbox(m.Peer.Identity, true)
		if err != nil {
			return smtp.Path{}, false, nil // a name that is no address
		}
		p, ok := asciiPath(p, m.Params.UTF8)
		return p, ok, nil
	}
	p, ok, err := f.Author(ctx, m.Peer.Identity)
	if !ok || err != nil {
		return smtp.Path{}, false, err
	}
	p, ok = asciiPath(p, m.Params.UTF8)
	return p, ok, nil
}

// owns reports whether all addresses are the account's own.
func (f *Fixes) owns(ctx context.Context, account string, addresses []smtp.Path) (bool, error) {
	for _, a := range addresses {
		own, err := f.Owns(ctx, account, smtp.ReversePath{Path: a})
		if err != nil {
			return false, notNow(err)
		}
		if !own {
			return false, nil
		}
	}
	return true, nil
}

// maxAuthors bounds the look-ups that judging a header can cause: what has more is
// refused, for the last may be anybody.
const maxAuthors = 50

// mailboxes are the addresses in the unfolded value of a field, as readers may
// take them; what has no domain is one too, and nobody's own. It stops behind
// maxAuthors.
func mailboxes(list string) (out []smtp.Path) {
	for a := range mime.Addresses([]byte(list)) {
		if a.Kind == mime.Mailbox && (len(a.Local) > 0 || len(a.Domain) > 0) {
			out = append(out, smtp.Path{Local: string(a.Local), Domain: string(a.Domain)})
			if len(out) > maxAuthors {
				break
			}
		}
	}
	return out
}

func isGroup(list string) bool {
	for a := range mime.Addresses([]byte(list)) {
		if a.Kind == mime.GroupStart {
			return true
		}
	}
	return false
}
