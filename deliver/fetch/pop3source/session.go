package pop3source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/internal/crlf"
	"github.com/mailstead/mailstead/internal/headblock"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

// ErrRenumbered: a number does not have the unique-id any more that was listed.
// Nothing that was read since counts, and nothing is deleted.
var ErrRenumbered = errors.New("pop3source: the server numbers its messages anew")

// session is a login.
type session struct {
	s       Source
	c       *pop3client.Client
	ids     map[int]string // by number, as they were listed
	noCheck bool           // UIDL does not tell about one message
	noTop   bool
	marked  []int
	ahead   ahead
}

// List implements fetch.Session.
func (s *session) List(ctx context.Context) iter.Seq2[fetch.Item, error] {
	return func(yield func(fetch.Item, error) bool) {
		err := s.settle(ctx)
		if err != nil {
			yield(fetch.Item{}, err)
			return
		}
		drop, err := s.c.Maildrop(ctx)
		if err != nil {
			yield(fetch.Item{}, err)
			return
		}
		s.ids = make(map[int]string, len(drop.Messages))
		s.marked = nil
		for i := range drop.Messages {
			m := &drop.Messages[i]
			it := fetch.Item{Size: m.Size, Handle: uint64(m.Number)} //nolint:gosec // numbers are positive
			const bad = pop3client.FaultNoID | pop3client.FaultInvalidID | pop3client.FaultReusedID
			switch {
			case m.Fault&pop3client.FaultRepeated != 0: // which line is true nobody knows
			case m.UniqueID == "":
			default:
				s.ids[m.Number] = m.UniqueID
				if m.Fault&bad == 0 && !s.s.NoIDs {
					it.ID = m.UniqueID
				}
			}
			if !yield(it, nil) {
				return
			}
		}
	}
}

// Head implements fetch.Session, by TOP or, without it, by RETR.
func (s *session) Head(ctx context.Context, it *fetch.Item) ([]byte, error) {
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	if caps := s.c.Capabilities(); caps.Known && !caps.Top {
		s.noTop = true
	}
	if !s.noTop {
		b, err := s.c.Top(ctx, number(it), 0)
		if err == nil {
			return s.readHead(b)
		}
		if !isRefusal(err) {
			return nil, err
		}
	}
	b, err := s.c.Retr(ctx, number(it))
	if err != nil {
		return nil, gone(err)
	}
	s.noTop = true
	return s.readHead(b)
}

// readHead reads the header block, and the rest away.
func (s *session) readHead(b *pop3client.Body) ([]byte, error) {
	defer b.Close()
	r := crlf.Stream(b)
	head, _, err := headblock.Read(nil, r, fetch.MaxHead)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, r)
	return head, err
}

// Delete implements fetch.Session.
func (s *session) Delete(_ context.Context, items []fetch.Item) error {
	for i := range items {
		s.marked = append(s.marked, number(&items[i]))
	}
	return nil
}

// Commit implements fetch.Session. It ends the session.
func (s *session) Commit(ctx context.Context) error {
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := s.recheck(ctx); err != nil {
		return err
	}
	var refused error
	for _, err := range s.c.DeleEach(ctx, s.marked) {
		if err == nil {
			continue
		}
		if !isRefusal(err) {
			return err
		}
		if refused == nil {
			refused = err
		}
	}
	return errors.Join(refused, s.c.Quit(ctx))
}

// recheck looks whether what is to be deleted is what was listed.
func (s *session) recheck(ctx context.Context) error {
	left := make(map[int]string, len(s.marked))
	for _, n := range s.marked {
		if id := s.ids[n]; id != "" {
			left[n] = id
		}
	}
	if len(left) == 0 {
		return nil
	}
	for m, err := range s.c.UIDL(ctx) {
		if err != nil {
			return err
		}
		if id, ok := left[m.Number]; ok && id != m.UniqueID {
			return fmt.Errorf("%w: %d was %q and is %q", ErrRenumbered, m.Number, id, m.UniqueID)
		}
		delete(left, m.Number)
	}
	if len(left) > 0 {
		return fmt.Errorf("%w: %d messages are not listed any more", ErrRenumbered, len(left))
	}
	return nil
}

// Wait implements fetch.Session: POP3 shows what was there at the login.
func (s *session) Wait(context.Context, time.Duration) error { return errors.ErrUnsupported }

// Close implements fetch.Session.
func (s *session) Close() error { return s.c.Close() }

func number(it *fetch.Item) int { return int(it.Handle) } //nolint:gosec // from List

// gone is the error of a message that the server refuses: the others are not
// kept waiting for it.
func gone(err error) error {
	if isRefusal(err) {
		return fmt.Errorf("%w: %w", fetch.ErrGone, err)
	}
	return err
}
