package imapresync

import (
	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

// Request is the parameters of one SELECT or EXAMINE.
type Request struct {
	CondStore bool
	QResync   *QResync // nil = not given
}

// QResync is what the client knows of the mailbox (RFC 7162 §3.2.5).
type QResync struct {
	UIDValidity store.UIDValidity
	Since       store.ModSeq // 1 at least
	known       imap.NumSet  // nil = all

	// Seqs and UIDs are a sample: the n-th number of Seqs was that of the n-th
	// UID of UIDs (§3.2.5.2). nil = none.
	Seqs, UIDs imap.NumSet
}

// Known is the UIDs that the client asks about; last is the greatest UID that
// the mailbox ever gave out, 0 for none.
func (q *QResync) Known(last store.UID) store.UIDSet {
	if last == 0 {
		return nil
	}
	all := store.UIDSet{{First: 1, Last: last}}
	if q.known == nil {
		return all
	}
	return q.known.Resolve(uint32(last)).Intersect(all)
}

// Parse takes [SP "(" select-param *(SP select-param) ")"]. Errors are
// *[imapwire.SyntaxError] and those of the Decoder.
func Parse(dec *imapwire.Decoder) (r Request, err error) {
	if !dec.Accept(' ') {
		return r, nil
	}
	err = dec.List(func() error {
		name, err := dec.Word()
		if err != nil {
			return err
		}
		switch name {
		case "CONDSTORE":
			r.CondStore = true
			return nil
		case "QRESYNC":
			if r.QResync != nil {
				return imapwire.Bad("QRESYNC given twice")
			}
			r.QResync = &QResync{}
			return r.QResync.parse(dec)
		}
		return imapwire.Bad("Unknown parameter of SELECT")
	})
	return r, err
}

// parse takes
//
//	SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
func (q *QResync) parse(dec *imapwire.Decoder) error {
	if err := dec.SP(); err != nil {
		return err
	}
	if err := dec.Open(); err != nil {
		return err
	}
	v, err := imapwire.Take(dec, imapwire.ConsumeNZNumber)
	if err != nil {
		return err
	}
	if err := dec.SP(); err != nil {
		return err
	}
	since, err := imapwire.Take(dec, imapwire.ConsumeNumber64)
	if err != nil {
		return err
	}
	if since == 0 {
		return imapwire.Bad("Mod-sequence expected")
	}
	q.UIDValidity, q.Since = store.UIDValidity(v), store.ModSeq(since)
	if err := q.parseKnown(dec); err != nil {
		return err
	}
	return dec.Close()
}

// parseKnown takes [SP known-uids] [SP "(" known-sequence-set SP known-uid-set ")"].
func (q *QResync) parseKnown(dec *imapwire.Decoder) (err error) {
	if !dec.Accept(' ') {
		return nil
	}
	if dec.Peek() != '(' {
		if q.known, err = takeSet(dec); err != nil {
			return err
		}
		if !dec.Accept(' ') {
			return nil
		}
	}
	if err = dec.Open(); err != nil {
		return err
	}
	if q.Seqs, err = takeSet(dec); err != nil {
		return err
	}
	if err = dec.SP(); err != nil {
		return err
	}
	if q.UIDs, err = takeSet(dec); err != nil {
		return err
	}
	n, ok := ascending(q.Seqs)
	m, too := ascending(q.UIDs)
	if !ok || !too || n != m {
		return imapwire.Bad("Numbers and UIDs do not fit together")
	}
	return dec.Close()
}

// takeSet takes a sequence-set without "*".
func takeSet(dec *imapwire.Decoder) (imap.NumSet, error) {
	w, err := imapwire.Take(dec, imapwire.ConsumeSeqSet)
	set := imap.NumSet(w)
	if _, star := set.Max(); err == nil && star {
		return nil, imapwire.Bad("No * here")
	}
	return set, err
}

// ascending counts the elements of a set; ok is false when they do not ascend.
func ascending(set imap.NumSet) (n int64, ok bool) {
	last := uint32(0)
	for _, r := range set {
		if r.Start <= last || r.Stop < r.Start {
			return 0, false
		}
		n += int64(r.Stop-r.Start) + 1
		last = r.Stop
	}
	return n, true
}
