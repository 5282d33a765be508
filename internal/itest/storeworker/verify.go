package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
	"github.com/mailstead/mailstead/store/sqlite"
	"github.com/mailstead/mailstead/store/sqlstore"
)

// place names a message.
type place struct {
	account store.AccountID
	box     store.MailboxID
	uid     store.UID
}

// want is what was acknowledged about a message.
type want struct {
	seed  uint32
	flags store.Flags
	gone  bool
}

// verify opens the store after a cut and looks for everything acknowledged.
func verify(ctx context.Context, dir string, acks io.Reader) error {
	wants, err := parse(acks)
	if err != nil {
		return err
	}
	e, err := sqlite.Open(ctx, dir, sqlite.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer e.Close()
	if err := whole(ctx, e); err != nil {
		return err
	}
	for p, w := range wants {
		if err := look(ctx, e.Store(), p, w); err != nil {
			return fmt.Errorf("account %s mailbox %s message %d: %w", p.account, p.box, p.uid, err)
		}
	}
	return goOn(ctx, e.Store(), wants)
}

func parse(acks io.Reader) (map[place]*want, error) {
	wants := make(map[place]*want)
	in := bufio.NewScanner(acks)
	for in.Scan() {
		var word, account, box, dest string
		var uid, n uint32
		line := in.Text()
		fmt.Sscan(line, &word)
		if word == "move" {
			var to uint32
			if _, err := fmt.Sscan(line, &word, &account, &box, &uid, &dest, &to); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			from := wants[at(account, box, uid)]
			wants[at(account, dest, to)] = &want{seed: from.seed, flags: from.flags}
			from.gone = true
			continue
		}
		if word == "append" {
			if _, err := fmt.Sscan(line, &word, &account, &box, &uid, &n); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			wants[at(account, box, uid)] = &want{seed: n}
			continue
		}
		if _, err := fmt.Sscan(line, &word, &account, &box, &uid); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		switch w := wants[at(account, box, uid)]; word {
		case "flagged":
			w.flags |= store.Flagged
		case "deleted":
			w.flags |= store.Deleted
		case "expunge":
			w.gone = true
		default:
			return nil, fmt.Errorf("unknown line %q", line)
		}
	}
	return wants, in.Err()
}

func at(account, box string, uid uint32) place {
	p := place{account: store.AccountID(account), uid: store.UID(uid)}
	hex.Decode(p.box[:], []byte(box))
	return p
}

// whole checks the database, and the store with itself.
func whole(ctx context.Context, e *sqlite.Engine) error {
	verdict, err := sqldb.Collect(ctx, e.DB(), func(r *sql.Rows) (s string, err error) {
		err = r.Scan(&s)
		return s, err
	}, `PRAGMA integrity_check`)
	if err != nil || len(verdict) != 1 || verdict[0] != "ok" {
		return fmt.Errorf("integrity_check: %q %v", verdict, err)
	}
	var first error
	err = e.Store().Verify(ctx, func(p *sqlstore.Problem) {
		if first == nil {
			first = p
		}
	})
	if err != nil {
		return err
	}
	return first
}

// look judges one message. One that has \Deleted may be gone: its expunge was
// perhaps under way.
func look(ctx context.Context, s *sqlstore.Store, p place, w *want) error {
	a, err := s.Open(ctx, p.account)
	if err != nil {
		return err
	}
	var found *store.Message
	for m, err := range a.Messages(ctx, p.box, store.Query{UIDs: store.UIDs(p.uid)}) {
		if err != nil {
			return err
		}
		copied := *m
		found = &copied
	}
	switch {
	case found == nil && (w.gone || w.flags&store.Deleted != 0):
		return nil
	case found == nil:
		return fmt.Errorf("is missing")
	case w.gone:
		return fmt.Errorf("is back")
	case found.Flags&w.flags != w.flags:
		return fmt.Errorf("flags %b, acknowledged %b", found.Flags, w.flags)
	}
	c, err := a.Content(ctx, p.box, p.uid)
	if err != nil {
		return err
	}
	defer c.Close()
	got, err := io.ReadAll(io.NewSectionReader(c, 0, c.Size()))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, body(w.seed)) {
		return fmt.Errorf("has other octets")
	}
	return nil
}

// goOn appends to every mailbox: no UID may come a second time.
func goOn(ctx context.Context, s *sqlstore.Store, wants map[place]*want) error {
	greatest := make(map[place]store.UID)
	for p := range wants {
		box := place{account: p.account, box: p.box}
		greatest[box] = max(greatest[box], p.uid)
	}
	for p, last := range greatest {
		a, err := s.Open(ctx, p.account)
		if err != nil {
			return err
		}
		r, err := store.AppendMessage(ctx, s, a, "", store.NewMessage{Mailbox: p.box, Body: bytes.NewReader(body(1)), BodySize: -1})
		if err != nil {
			return err
		}
		if uid := r.Ops[0].Dest.Min(); uid <= last {
			return fmt.Errorf("account %s mailbox %s: UID %d was given out again after %d", p.account, p.box, uid, last)
		}
	}
	return nil
}
