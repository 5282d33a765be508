package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// maxRecipients bounds who gets one message.
const maxRecipients = 1000

var errRecipients = errors.New("fetch: too many recipients")

// fetchOne brings one message to all that get it. The error is errSession, or why
// the message is deferred.
func (p *pass) fetchOne(l *listed) error {
	sp, err := p.retrieve(l)
	switch {
	case errors.Is(err, ErrGone):
		p.emit(Event{Kind: EventDeferred, Item: l.Item, Reason: "listed, and not given", Err: err})
		return nil
	case errors.Is(err, errTooLarge):
		p.noteSkipped(l, p.s.maxSize()+1)
		return lost(err) // the rest of it is on the line
	case err != nil:
		return err
	}
	l.fresh = true
	m := &Message{Source: p.s.Name, Item: l.Item, Header: sp.head, Size: sp.size}
	d := &delivery{p: p, l: l, m: m, sp: sp, rec: Record{Key: Key{KindMessage, l.id}, Print: sp.print, Size: l.Size}}
	if l.rec != nil && l.rec.Kind == KindMessage {
		d.rec.Done = l.rec.Done
		if l.rec.Print != sp.print { // another message under its ID
			d.rec.Done = nil
		}
	}
	err = d.run()
	if err != nil {
		p.emit(Event{Kind: EventDeferred, Item: l.Item, Mail: d.mail, Recipients: d.decision.Recipients, Step: d.decision.Step, Err: err})
	}
	return err
}

// retrieve gets a message onto stable storage here.
func (p *pass) retrieve(l *listed) (*spooled, error) {
	rc, err := p.ses.Retrieve(p.ctx, &l.Item)
	if errors.Is(err, ErrGone) {
		return nil, err
	}
	if err != nil {
		return nil, lost(err)
	}
	read := &touching{r: rc, touch: p.touch}
	sp, err := spool(p.ctx, p.c.Blobs, read, p.s.maxSize())
	closeErr := rc.Close()
	switch {
	case errors.Is(err, errTooLarge):
		return nil, err
	case read.err != nil && read.err != io.EOF:
		return nil, lost(read.err)
	case err != nil:
		return nil, err // of our own storage
	case closeErr != nil:
		return nil, lost(closeErr)
	}
	return sp, nil
}

// touching tells of each read, and keeps its error.
type touching struct {
	r     io.Reader
	touch func()
	err   error
}

func (t *touching) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	if n > 0 {
		t.touch()
	}
	if err != nil {
		t.err = err
	}
	return n, err
}

// delivery is one attempt at one message.
type delivery struct {
	p        *pass
	l        *listed
	m        *Message
	sp       *spooled
	mail     string // its id
	decision Decision
	rec      Record
	copies   *Record // of the message, where there are several on the server
}

// run resolves the recipients, gives each the message, and remembers it.
func (d *delivery) run() (err error) {
	if d.decision, err = d.p.s.Recipients.Resolve(d.p.hand, d.m); err != nil {
		return err
	}
	if len(d.decision.Recipients) > maxRecipients {
		return errRecipients
	}
	d.mail = smtp.NewID()
	extra := d.countCopies()
	quarantined := ""
	switch {
	case len(d.decision.Recipients) == 0:
		quarantined = d.decision.Quarantine
		if quarantined == "" {
			quarantined = "no recipient was found"
		}
	case extra:
		quarantined = "a further copy, perhaps for a blind recipient"
	}
	if quarantined != "" {
		err = d.quarantine(quarantined, "")
	} else {
		quarantined, err = d.deliverAll()
	}
	return d.record(quarantined, err)
}

// countCopies notes where a message is in several copies on the server, and
// reports one that is more than there are recipients.
func (d *delivery) countCopies() (extra bool) {
	if !d.decision.Guessed {
		return false
	}
	k := Key{KindCopy, d.sp.copyID()}
	d.copies = &Record{Key: k}
	if r := d.p.known[k]; r != nil {
		*d.copies = *r
	}
	if len(d.rec.Done) > 0 || d.l.rec != nil && d.l.rec.Kind == KindMessage {
		return false // counted before
	}
	d.copies.Size++
	return d.copies.Size > 1 && d.copies.Size > int64(len(d.decision.Recipients))
}

// deliverAll gives the message to each recipient that has not got it. Each is a
// transaction of its own, with a key of its own: so a target that knows keys is
// asked for nobody twice, whatever was refused or interrupted before.
func (d *delivery) deliverAll() (quarantined string, err error) {
	var left error
	for _, to := range d.decision.Recipients {
		name := deliver.CanonicalAddress(to.Path)
		if slices.Contains(d.rec.Done, name) || d.copies != nil && slices.Contains(d.copies.Done, name) {
			continue
		}
		err := deliver.CheckLoop(d.sp.head, d.p.c.Hostname, to)
		if err == nil {
			err = d.deliver(to, name)
		}
		if err != nil && smtp.IsPermanent(err) {
			quarantined = fmt.Sprintf("refused for %s: %s", to.String(), smtp.ReplyOf(err).String())
			err = d.quarantine(quarantined, name)
		}
		if err != nil {
			left = err
			continue
		}
		d.rec.Done = insert(d.rec.Done, name)
		if d.copies != nil {
			d.copies.Done = insert(d.copies.Done, name)
		}
	}
	return quarantined, left
}

func insert(sorted []string, s string) []string {
	i, found := slices.BinarySearch(sorted, s)
	if found {
		return sorted
	}
	return slices.Insert(slices.Clone(sorted), i, s)
}

// deliver hands the message to the target for one recipient. Nobody is sent a
// report: the sender has nothing to do with how mail is collected.
func (d *delivery) deliver(to smtp.ForwardPath, name string) error {
	now := d.p.c.now()
	m := &smtp.Mail{
		ID: d.mail, ReversePath: d.sp.reverse, PerRecipient: true, Received: now,
		Once: onceOf(d.p.s.Name, d.l.id, d.sp.content) + ":" + name,
	}
	m.Params.UTF8 = to.NeedsUTF8() || m.ReversePath.NeedsUTF8()
	m.Params.Body = d.sp.bodyType()
	rcpt := &smtp.Recipient{ForwardPath: to, Params: smtp.RcptParams{Notify: smtp.NotifyNever}}
	body, err := d.sp.open(d.p.hand, d.received(to, now))
	if err != nil {
		return err
	}
	defer body.Close()
	defer d.p.touch()
	return smtp.Hand(d.p.hand, d.p.s.Target, m, []*smtp.Recipient{rcpt}, body.Body)
}

// quarantine keeps the message for people to look at; name is the recipient that
// is refused, "" = there is none.
func (d *delivery) quarantine(reason, name string) error {
	q := d.p.c.Quarantine
	if q == nil {
		return fmt.Errorf("fetch: %s, and there is no quarantine", reason)
	}
	body, err := d.sp.open(d.p.hand, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	defer d.p.touch()
	once := onceOf(d.p.s.Name, d.l.id, d.sp.content) + ":quarantine:" + name
	if err := q.Keep(d.p.hand, d.m, reason, once, body.Body); err != nil {
		return err
	}
	d.p.emit(Event{Kind: EventQuarantined, Item: d.l.Item, Mail: d.mail, Recipients: d.decision.Recipients, Step: d.decision.Step, Reason: reason, Bytes: d.sp.size})
	return nil
}

// record remembers how far the message came: one commit before anything is
// deleted.
func (d *delivery) record(quarantined string, err error) error {
	if err == nil {
		d.rec.Fetched, d.rec.Done = d.p.c.now(), nil
	} else if len(d.rec.Done) == 0 {
		return err
	}
	records := []Record{d.rec}
	if d.copies != nil {
		d.copies.Fetched = d.p.c.now()
		records = append(records, *d.copies)
	}
	if putErr := d.p.put(records...); putErr != nil {
		return errors.Join(err, putErr)
	}
	d.l.rec = d.p.known[d.rec.Key]
	if err == nil && quarantined == "" {
		d.p.emit(Event{Kind: EventFetched, Item: d.l.Item, Mail: d.mail, Recipients: d.decision.Recipients, Step: d.decision.Step, Bytes: d.sp.size})
	}
	return err
}

// received is the trace field of this hop.
func (d *delivery) received(to smtp.ForwardPath, now time.Time) []byte {
	host := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' || strings.ContainsRune("()<>;,\\\"", r) {
			return -1
		}
		return r
	}, d.p.s.host())
	return fmt.Appendf(nil, "Received: from %s by %s\r\n\tid %s for %s; %s\r\n",
		host, d.p.c.Hostname, d.mail, to.String(), now.Format("Mon, 2 Jan 2006 15:04:05 -0700"))
}

func (s *Source) host() string {
	if s.Host != "" {
		return s.Host
	}
	return s.Name
}

// openBody is a Body over an open blob.
type openBody struct {
	*smtp.Body
	io.Closer
}

func (s *spooled) open(ctx context.Context, trace []byte) (*openBody, error) {
	b, err := blob.OpenKeyed(ctx, s.stored.In, s.stored.Ref, s.stored.Key)
	if err != nil {
		return nil, err
	}
	return &openBody{smtp.NewStoredBody(io.NewSectionReader(b, 0, b.Size()), b.Size(), s.stored, trace), b}, nil
}
