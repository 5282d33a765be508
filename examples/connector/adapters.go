package main

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/mailstead/mailstead/deliver/fetch"
	"github.com/mailstead/mailstead/examples/connector/internal/settings"
	"github.com/mailstead/mailstead/pop3/pop3client"
)

func (m *mailbox) imap(*settings.Source) func(context.Context) (fetch.Session, error) {
	return func(context.Context) (fetch.Session, error) { return nil, errors.New("TODO") }
}

func (m *mailbox) pop3() func(context.Context) (fetch.Session, error) {
	d := &pop3client.Dialer{Net: m.net, TLSConfig: m.tls, Login: m.login.Login}
	switch m.mode {
	case "starttls":
		d.TLS = pop3client.TLSRequired
	case "none":
		d.TLS = pop3client.TLSNever
	}
	return func(ctx context.Context) (fetch.Session, error) {
		c, err := d.Dial(ctx, "tcp", m.addr)
		if err != nil {
			return nil, err
		}
		return &tmpSession{c}, nil
	}
}

type tmpSession struct{ c *pop3client.Client }

func (s *tmpSession) List(ctx context.Context) iter.Seq2[fetch.Item, error] {
	return func(yield func(fetch.Item, error) bool) {
		md, err := s.c.Maildrop(ctx)
		if err != nil {
			yield(fetch.Item{}, err)
			return
		}
		for _, m := range md.Messages {
			if !yield(fetch.Item{ID: m.UniqueID, Size: m.Size, Handle: uint64(m.Number)}, nil) {
				return
			}
		}
	}
}
func (s *tmpSession) Retrieve(ctx context.Context, it *fetch.Item) (io.ReadCloser, error) {
	return s.c.Retr(ctx, int(it.Handle))
}
func (s *tmpSession) Head(ctx context.Context, it *fetch.Item) ([]byte, error) {
	b, err := s.c.Top(ctx, int(it.Handle), 0)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(b)
}
func (s *tmpSession) Delete(ctx context.Context, items []fetch.Item) error {
	for _, it := range items {
		if err := s.c.Dele(ctx, int(it.Handle)); err != nil {
			return err
		}
	}
	return nil
}
func (s *tmpSession) Commit(ctx context.Context) error { return s.c.Quit(ctx) }
func (s *tmpSession) Wait(ctx context.Context, d time.Duration) error {
	return errors.ErrUnsupported
}
func (s *tmpSession) Close() error { return s.c.Close() }
