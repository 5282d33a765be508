package deliver

import (
	"context"

	"github.com/mailstead/mailstead/smtp"
)

// Prompt is a smtp.Receiver that delivers to local accounts while the peer
// waits, so that each recipient has a result of its own (PRDR, LMTP). Later, a
// queue, takes what cannot be done at once: aliases, foreign addresses,
// recipients whose sender asked to hear of success, and whole messages of peers
// that can be given only one result. All fields are required.
type Prompt struct {
	Directory Directory
	Now       smtp.Receiver // LocalDelivery, over the same Directory
	Later     smtp.Receiver
}

// Begin implements smtp.Receiver.
func (p *Prompt) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	if !m.PerRecipient {
		return p.Later.Begin(ctx, m)
	}
	t := &promptTransaction{dir: p.Directory}
	var err error
	if t.way[now], err = p.Now.Begin(ctx, m); err != nil {
		return nil, err
	}
	if t.way[later], err = p.Later.Begin(ctx, m); err != nil {
		t.way[now].Abort()
		return nil, err
	}
	return t, nil
}

// The two ways of a Prompt.
const (
	now = iota
	later
)

type promptTransaction struct {
	dir  Directory
	way  [2]smtp.Transaction
	took []int // the way of each accepted recipient
}

// Rcpt asks the way of each recipient.
func (t *promptTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	paths := make([]smtp.ForwardPath, len(rs))
	for i, r := range rs {
		paths[i] = r.ForwardPath
	}
	errs := make([]error, len(rs))
	entries, err := t.dir.Lookup(ctx, paths)
	if err == nil && len(entries) != len(rs) {
		err = errLookupCount
	}
	for i, r := range rs {
		failed := err
		if failed == nil {
			failed = entries[i].Err
		}
		if failed != nil {
			errs[i] = directoryError(failed)
			continue
		}
		way := later
		if entries[i].Kind == Local && r.Params.Notify&smtp.NotifySuccess == 0 {
			way = now
		}
		if errs[i] = one(t.way[way].Rcpt(ctx, rs[i:i+1])); errs[i] == nil {
			t.took = append(t.took, way)
		}
	}
	return errs
}

// one is the only result.
func one(errs []error) error {
	if len(errs) != 1 {
		return smtp.ErrStatusCount
	}
	return errs[0]
}

// Data gives the body to both, where both have recipients.
func (t *promptTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	var count [2]int
	for _, way := range t.took {
		count[way]++
	}
	for way := range count {
		if count[1-way] == 0 {
			t.way[1-way].Abort()
			return t.way[way].Data(ctx, b)
		}
	}
	spooled, err := smtp.Spool(b, smtp.SpoolOptions{})
	if err != nil {
		return nil, err
	}
	defer spooled.Close()
	var got [2][]smtp.RcptStatus
	for way := range got {
		got[way], err = t.way[way].Data(ctx, spooled.Body())
		if err == nil && len(got[way]) != count[way] {
			err = smtp.ErrStatusCount
		}
		if err != nil {
			got[way] = smtp.Refused(count[way], err) // the other way is not concerned
		}
	}
	statuses := make([]smtp.RcptStatus, len(t.took))
	for i, way := range t.took {
		statuses[i], got[way] = got[way][0], got[way][1:]
	}
	return statuses, nil
}

// Abort implements smtp.Transaction.
func (t *promptTransaction) Abort() {
	for _, tx := range t.way {
		tx.Abort()
	}
}
