package imapresp

import (
	"github.com/mailstead/mailstead/imap"
)

// MaxAddresses bounds the addresses of one envelope, and the parameters,
// languages and parts of one body structure.
const MaxAddresses = 100_000

// ConsumeEnvelope takes an envelope (RFC 9051 §7.5.2).
func ConsumeEnvelope(b []byte) (*imap.Envelope, int, error) {
	e := &imap.Envelope{}
	texts := [...]*string{0: &e.Date, 1: &e.Subject, 8: &e.InReplyTo, 9: &e.MessageID}
	lists := [...]*[]imap.Address{2: &e.From, 3: &e.Sender, 4: &e.ReplyTo, 5: &e.To, 6: &e.Cc, 7: &e.Bcc}
	item := -1
	n, err := ConsumeList(b, func(b []byte) (n int, err error) {
		switch item++; {
		case item < len(lists) && lists[item] != nil:
			*lists[item], n, err = consumeAddresses(b)
		case item < len(texts):
			*texts[item], n, err = consumeText(b)
		default:
			n, err = SkipValue(b)
		}
		return n, err
	})
	return e, n, err
}

// consumeAddresses takes a list of addresses, or NIL.
func consumeAddresses(b []byte) (list []imap.Address, n int, err error) {
	if len(b) > 0 && b[0] != '(' {
		_, n, err := ConsumeNString(b)
		return nil, n, err
	}
	n, err = ConsumeList(b, func(b []byte) (int, error) {
		if len(list) == MaxAddresses {
			return 0, ErrTooMany
		}
		var a imap.Address
		var route string
		to := [...]*string{&a.Name, &route, &a.Mailbox, &a.Host}
		item := 0
		n, err := ConsumeList(b, func(b []byte) (n int, err error) {
			if item < len(to) {
				*to[item], n, err = consumeText(b)
			} else {
				n, err = SkipValue(b)
			}
			item++
			return n, err
		})
		list = append(list, a)
		return n, err
	})
	return list, n, err
}
