package imapsource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/imap/imapclient"
	"github.com/mailstead/mailstead/internal/crlf"
	"github.com/mailstead/mailstead/internal/headblock"
)

// ErrUIDValidity: the UIDs of a mailbox lost their meaning in the middle of a
// session. Nothing that was read since counts, and nothing is deleted.
var ErrUIDValidity = errors.New("imapsource: UIDVALIDITY has changed")

// session is a login.
type session struct {
	s      Source
	c      *imapclient.Client
	boxes  map[string]*box // as they were listed
	first  string          // the mailbox that is watched
	marked map[string]imap.UIDSet
	last   uint32 // messages in the selected mailbox
	news   bool   // new ones came, in any of them
}

// box is a mailbox as it was when it was listed.
type box struct {
	validity imap.UIDValidity
	exists   uint32
	next     imap.UID
}

// listen has the session hear of new messages.
func (s *session) listen(h imapclient.Handler) {
	exists, expunge, vanished := h.Exists, h.Expunge, h.Vanished
	h.Exists = func(n uint32) {
		s.news = s.news || n > s.last
		s.last = n
		if exists != nil {
			exists(n)
		}
	}
	h.Expunge = func(seq uint32) {
		s.counted()
		if expunge != nil {
			expunge(seq)
		}
	}
	h.Vanished = func(uids imap.UIDSet, earlier bool) {
		s.counted()
		if vanished != nil {
			vanished(uids, earlier)
		}
	}
	s.c.SetHandler(h)
}

// counted notes how many messages the selected mailbox has.
func (s *session) counted() {
	if m := s.c.Mailbox(); m != nil {
		s.last = m.Exists
	}
}

// choose selects a mailbox.
func (s *session) choose(ctx context.Context, name string) (*imap.SelectedMailbox, error) {
	m, err := s.c.Select(ctx, name, imapclient.SelectOptions{ReadOnly: s.s.ReadOnly})
	s.counted()
	return m, err
}

// enter selects a mailbox that was listed, if it is not selected.
func (s *session) enter(ctx context.Context, name string) error {
	if m := s.c.Mailbox(); m == nil || m.Name != name {
		m, err := s.choose(ctx, name)
		if err != nil {
			return err
		}
		if b := s.boxes[name]; b != nil && (m.UIDNext > b.next || m.Exists > b.exists) {
			s.news = true
		}
	}
	return s.valid(name)
}

// valid reports whether the UIDs of the selected mailbox are those that were
// listed.
func (s *session) valid(name string) error {
	m, b := s.c.Mailbox(), s.boxes[name]
	if m == nil || b == nil || m.UIDValidity != b.validity {
		return fmt.Errorf("%w: %.100q", ErrUIDValidity, name)
	}
	return nil
}

// Retrieve implements fetch.Session.
func (s *session) Retrieve(ctx context.Context, it *fetch.Item) (io.ReadCloser, error) {
	return s.section(ctx, it, imap.TextAll)
}

// Head implements fetch.Session.
func (s *session) Head(ctx context.Context, it *fetch.Item) ([]byte, error) {
	b, err := s.section(ctx, it, imap.TextHeader)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	head, _, err := headblock.Read(nil, b, fetch.MaxHead)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, b)
	return head, err
}

// section begins to read a text of a message.
func (s *session) section(ctx context.Context, it *fetch.Item, text imap.SectionText) (*body, error) {
	if err := s.enter(ctx, it.Folder); err != nil {
		return nil, err
	}
	uid := imap.UID(it.Handle) //nolint:gosec // from List
	o := imap.FetchOptions{Sections: []imap.Section{{Text: text, Peek: true}}}
	b := &body{s: s, folder: it.Folder}
	b.next, b.stop = iter.Pull2(s.c.Fetch(ctx, imap.UIDSet{{First: uid, Last: uid}}, o))
	for {
		m, err, ok := b.next()
		switch {
		case !ok:
			b.stop()
			return nil, fmt.Errorf("%w: UID %d", fetch.ErrGone, uid)
		case err != nil:
			b.stop()
			return nil, gone(err)
		}
		sec, err := m.Next()
		if err == io.EOF || err == nil && (sec.IsNil || m.UID != uid && m.UID != 0) {
			continue
		}
		if err != nil {
			b.stop()
			return nil, err
		}
		b.r = crlf.Stream(sec)
		return b, nil
	}
}

// gone is the error of a message that the server refuses: the others are not
// kept waiting for it.
func gone(err error) error {
	if e, ok := errors.AsType[*imapclient.Error](err); ok && e.Response.Condition == imap.ConditionNo {
		return fmt.Errorf("%w: %w", fetch.ErrGone, err)
	}
	return err
}

// body is the text of a message as it comes.
type body struct {
	s      *session
	folder string
	r      io.Reader
	next   func() (*imapclient.Message, error, bool)
	stop   func()
	err    error // behind the end
}

// Read implements io.Reader. Behind the last octet it waits for the server's OK.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	if err == io.EOF {
		err = b.end()
	}
	b.err = err
	return n, err
}

// end is the error behind the last octet.
func (b *body) end() error {
	for {
		_, err, more := b.next()
		switch {
		case !more:
			if err := b.s.valid(b.folder); err != nil {
				return err
			}
			return io.EOF
		case err != nil:
			return err
		}
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.stop()
	return nil
}

// Quota implements fetch.Quota: the fullest of those that count for the mailbox.
func (s *session) Quota(ctx context.Context) (used, limit int64, err error) {
	roots, err := s.c.QuotaRoots(ctx, s.first)
	if errors.Is(err, imapclient.ErrNotOffered) {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return 0, 0, err
	}
	const unit, most = 1024, 1 << 50 // RFC 9208 §5.1
	for i := range roots {
		for _, r := range roots[i].Resources {
			if r.Name != "STORAGE" || r.Limit <= 0 || r.Limit > most || r.Usage < 0 || r.Usage > most {
				continue
			}
			if u, l := r.Usage*unit, r.Limit*unit; limit == 0 || float64(u)/float64(l) > float64(used)/float64(limit) {
				used, limit = u, l
			}
		}
	}
	if limit == 0 {
		return 0, 0, errors.ErrUnsupported
	}
	return used, limit, nil
}

// Close implements fetch.Session.
func (s *session) Close() error { return s.c.Close() }
