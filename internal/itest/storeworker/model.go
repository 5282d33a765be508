package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/mailstead/mailstead/store"
)

// model is what a store acknowledged, from the lines:
//
//	mailbox  ACCOUNT MAILBOX NAME          was made
//	renaming ACCOUNT MAILBOX NAME          may have this name from now on
//	renamed  ACCOUNT MAILBOX NAME          has it
//	deleting ACCOUNT MAILBOX               may be gone from now on
//	gone     ACCOUNT MAILBOX               is gone
//	append   ACCOUNT MAILBOX UID SEED      a message whose octets follow from SEED
//	deleted  ACCOUNT MAILBOX UID           has \Deleted; it may be expunged or moved next
//	flagged  ACCOUNT MAILBOX UID           has \Flagged
//	expunge  ACCOUNT MAILBOX UID           is gone
//	copy     ACCOUNT MAILBOX UID DEST UID  is there as well
//	move     ACCOUNT MAILBOX UID DEST UID  is gone here and is there
//	entry    ACCOUNT MAILBOX KEY N         the value is N, or was removed where N is a multiple of 10
//	refused  ACCOUNT MAILBOX SEED          a Change with this message was refused
//	compacted BLOBS REWRITTEN REMOVED      collected bodies, segments; for the eye
//
// A message is expunged or moved only after the line that it is \Deleted, so a
// Change that was under way at the cut excuses no other loss.
type model struct {
	messages map[place]*message
	boxes    map[place]*mailbox // uid 0
	entries  map[place]int      // uid 0
	keys     map[place]string
	refused  map[uint32]bool
}

// place names a mailbox or a message.
type place struct {
	account store.AccountID
	box     store.MailboxID
	uid     store.UID
}

func (p place) String() string {
	return fmt.Sprintf("account %s mailbox %s message %d", p.account, p.box, p.uid)
}

// message is what was acknowledged about one.
type message struct {
	seed  uint32
	flags store.Flags
	gone  bool
}

// mailbox is what was acknowledged about one.
type mailbox struct {
	names   []string // those that it may have
	dying   bool     // may be gone
	deleted bool     // is gone
}

func readModel(lines io.Reader) (*model, error) {
	m := &model{
		messages: map[place]*message{}, boxes: map[place]*mailbox{}, entries: map[place]int{}, keys: map[place]string{},
		refused: map[uint32]bool{},
	}
	in := bufio.NewScanner(lines)
	for in.Scan() {
		if err := m.line(in.Text()); err != nil {
			return nil, fmt.Errorf("%q: %w", in.Text(), err)
		}
	}
	return m, in.Err()
}

func (m *model) line(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "compacted":
		return nil
	case "mailbox", "renaming", "renamed", "deleting", "gone":
		return m.boxLine(word, rest)
	case "entry":
		var account, box, key string
		var n int
		_, err := fmt.Sscan(rest, &account, &box, &key, &n)
		m.entries[at(account, box, 0)], m.keys[at(account, box, 0)] = n, key
		return err
	case "refused":
		var account, box string
		var seed uint32
		_, err := fmt.Sscan(rest, &account, &box, &seed)
		m.refused[seed] = true
		return err
	}
	return m.messageLine(word, rest)
}

func (m *model) boxLine(word, rest string) error {
	var account, box, name string
	if n, err := fmt.Sscan(rest, &account, &box, &name); err != nil && n < 2 {
		return err
	}
	p := at(account, box, 0)
	if word == "mailbox" {
		m.boxes[p] = &mailbox{names: []string{name}}
		return nil
	}
	b := m.boxes[p]
	switch {
	case b == nil:
		return fmt.Errorf("unknown mailbox")
	case word == "renaming":
		b.names = append(b.names, name)
	case word == "renamed":
		b.names = []string{name}
	case word == "deleting":
		b.dying = true
	case word == "gone":
		b.deleted = true
	}
	return nil
}

func (m *model) messageLine(word, rest string) error {
	var account, box, dest string
	var uid, n uint32
	switch word {
	case "append":
		_, err := fmt.Sscan(rest, &account, &box, &uid, &n)
		m.messages[at(account, box, uid)] = &message{seed: n}
		return err
	case "copy", "move":
		if _, err := fmt.Sscan(rest, &account, &box, &uid, &dest, &n); err != nil {
			return err
		}
	default:
		if _, err := fmt.Sscan(rest, &account, &box, &uid); err != nil {
			return err
		}
	}
	x := m.messages[at(account, box, uid)]
	if x == nil {
		return fmt.Errorf("unknown message")
	}
	switch word {
	case "flagged":
		x.flags |= store.Flagged
	case "deleted":
		x.flags |= store.Deleted
	case "expunge":
		x.gone = true
	case "copy", "move":
		m.messages[at(account, dest, n)] = &message{seed: x.seed, flags: x.flags}
		x.gone = word == "move"
	default:
		return fmt.Errorf("unknown word")
	}
	return nil
}

func at(account, box string, uid uint32) place {
	p := place{account: store.AccountID(account), uid: store.UID(uid)}
	hex.Decode(p.box[:], []byte(box))
	return p
}
