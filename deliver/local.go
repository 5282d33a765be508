package deliver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/blob"
)

// LocalDelivery is a smtp.Receiver that puts messages into mailboxes of a
// store (RFC 5321 §4.4, final delivery). Store and Directory are required.
//
// One blob serves all recipients, and the queue as well where it shares the
// store's Blobs. Each recipient is one Change whose Once is made of Mail.Once
// and the recipient, so a message that is delivered again after a crash
// appears once. In front of the body stand Return-Path, Delivered-To and the
// trace fields.
type LocalDelivery struct {
	Store     store.Store
	Directory Directory

	// Sort decides where a message goes; nil = INBOX, no flags.
	Sort func(ctx context.Context, m *LocalMessage) ([]Placement, error)

	// QuotaPermanent refuses mail over quota with 552 5.2.2 in place of
	// 452 4.2.2, which keeps it in the sender's queue until somebody makes room.
	QuotaPermanent bool

	// QuotaGrace lets one message in that would bring a mailbox over its quota
	// in octets by no more than this; a mailbox that is over already takes
	// nothing. Zero = none.
	QuotaGrace int64

	// Hostname is the name of this host in its Received fields. Mail that it has
	// delivered to the same recipient before is refused with 5.4.6, see CheckLoop.
	// "" = that is not looked for.
	Hostname string

	// Timeout is how long the delivery to one account may take, before it is
	// deferred: a hook or an account that hangs holds up those behind it in its
	// destination no longer than that. Zero = 1 min, negative = no limit.
	Timeout time.Duration

	// NoDeliveredTo leaves out the field Delivered-To.
	NoDeliveredTo bool
}

// LocalMessage is one message on its way to one account.
type LocalMessage struct {
	Mail      *smtp.Mail
	Recipient *smtp.Recipient
	Account   store.AccountID
	Detail    string // sub-address
	Body      blob.Blob
	Prefix    []byte // fields in front of Body
}

// Placement is one copy of a message in a mailbox of its account. No
// placement at all discards the message.
type Placement struct {
	Mailbox  string // name; "" = INBOX; one that does not exist means INBOX
	Flags    store.Flags
	Keywords []string
}

// Begin implements smtp.Receiver.
func (l *LocalDelivery) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return &localTransaction{l: l, mail: m, kept: ctx.Value(keptCopy{}) != nil}, nil
}

type localTransaction struct {
	l     *LocalDelivery
	mail  *smtp.Mail
	kept  bool // copies of aliases
	rcpts []localRcpt
	trace []byte
	head  []byte // the beginning of the message, where it is looked for loops
}

type localRcpt struct {
	rcpt  *smtp.Recipient
	entry Entry
}

// Rcpt accepts addresses of local accounts.
func (t *localTransaction) Rcpt(ctx context.Context, rs []*smtp.Recipient) []error {
	errs := make([]error, len(rs))
	for i, r := range rs {
		entry, err := LookupOne(ctx, t.l.Directory, r.ForwardPath)
		switch {
		case err != nil:
			errs[i] = directoryError(err)
		case entry.Kind == Relayed: // it was moved to another host since it was routed
			errs[i] = directoryError(errMoved)
		case entry.Kind != Local && !(t.kept && entry.Kind == Alias && entry.Account != ""):
			errs[i] = errNoSuchUser()
		default:
			t.rcpts = append(t.rcpts, localRcpt{r, entry})
		}
	}
	return errs
}

// errSlow is why a delivery was given up for now.
var errSlow = errors.New("deliver: the delivery to this account takes too long")

// errMoved defers what the next attempt sends elsewhere.
var errMoved = errors.New("deliver: the mailbox is on another host")

func (t *localTransaction) Abort() {}

// Data stores the body once, then the message in each account: an account
// that refuses does not touch the others.
func (t *localTransaction) Data(ctx context.Context, b *smtp.Body) ([]smtp.RcptStatus, error) {
	ref, key, err := t.blob(ctx, b)
	if err != nil {
		return nil, err
	}
	body, err := blob.OpenKeyed(ctx, t.l.Store.Blobs(), ref, key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	desc, err := store.Describe(body, body.Size())
	if err != nil {
		return nil, err
	}
	t.trace = b.Trace()
	if err := t.readHead(body); err != nil {
		return nil, err
	}
	op := store.Append{
		Blob: ref, Key: key, Size: body.Size(), Meta: desc.Meta, Received: t.mail.Received,
		ThreadKeys: desc.ThreadKeys, SubjectHash: desc.SubjectHash,
	}
	return t.deliverAll(ctx, body, op), nil
}

// atOnce bounds how many accounts one message is delivered to at a time: they
// wait for the same commit, and share it.
const atOnce = 32

// deliverAll makes one Change for each recipient.
func (t *localTransaction) deliverAll(ctx context.Context, body blob.Blob, op store.Append) []smtp.RcptStatus {
	statuses := smtp.Accepted(len(t.rcpts))
	one := func(i int) {
		r := t.rcpts[i]
		if err := CheckLoop(t.head, t.l.Hostname, r.rcpt.ForwardPath); err != nil {
			statuses[i].Err = err
			return
		}
		op := op
		op.Prefix = t.prefix(r.rcpt.ForwardPath)
		m := &LocalMessage{Mail: t.mail, Recipient: r.rcpt, Account: r.entry.Account, Detail: r.entry.Detail, Body: body, Prefix: op.Prefix}
		statuses[i].Err = t.l.answer(t.l.deliver(ctx, m, op))
	}
	var next atomic.Int64
	var crash atomic.Pointer[string]
	var wg sync.WaitGroup
	for range min(atOnce, len(t.rcpts)) {
		wg.Go(func() {
			defer func() {
				if v := recover(); v != nil {
					text := fmt.Sprintf("%v\n%s", v, debug.Stack())
					crash.Store(&text)
				}
			}()
			for i := int(next.Add(1)) - 1; i < len(t.rcpts); i = int(next.Add(1)) - 1 {
				one(i)
			}
		})
	}
	wg.Wait()
	if text := crash.Load(); text != nil {
		panic(*text) // for the caller to contain: it defers all, and Once spares who has the message
	}
	return statuses
}

// blob returns where the body lies in the store's Blobs, and its key; it writes
// it there unless it lies there already.
func (t *localTransaction) blob(ctx context.Context, b *smtp.Body) (blob.Ref, []byte, error) {
	blobs := t.l.Store.Blobs()
	if s, ok := b.Stored().(blob.Stored); ok && s.In == blobs {
		return s.Ref, s.Key, nil
	}
	w, err := blobs.Create(ctx, b.Size())
	if err != nil {
		return "", nil, err
	}
	defer w.Abort()
	if _, err := io.Copy(w, b); err != nil {
		return "", nil, err
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return "", nil, err
	}
	return ref, blob.KeyOf(w), nil
}

// readHead reads what CheckLoop wants to see.
func (t *localTransaction) readHead(body blob.Blob) error {
	if t.l.Hostname == "" {
		return nil
	}
	n := min(LoopHead-min(LoopHead, len(t.trace)), int(min(body.Size(), LoopHead)))
	t.head = append(make([]byte, 0, len(t.trace)+n), t.trace...)
	got, err := body.ReadAt(t.head[len(t.trace):cap(t.head)][:n], 0)
	t.head = t.head[:len(t.trace)+got]
	if err == io.EOF {
		err = nil
	}
	return err
}

// prefix is what stands in front of the body in the mailbox of p.
func (t *localTransaction) prefix(p smtp.ForwardPath) []byte {
	b := make([]byte, 0, 256+len(t.trace))
	if t.l.NoDeliveredTo {
		b = appendReturnPath(b, t.mail.ReversePath)
	} else {
		b = AppendFinal(b, t.mail, p)
	}
	return append(b, t.trace...)
}

// deliver makes one Change of all placements of m.
func (l *LocalDelivery) deliver(ctx context.Context, m *LocalMessage, op store.Append) error {
	if d := cmp.Or(l.Timeout, time.Minute); d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, errSlow)
		defer cancel()
	}
	places := []Placement{{}}
	if l.Sort != nil {
		var err error
		if places, err = l.Sort(ctx, m); err != nil || len(places) == 0 {
			return err
		}
	}
	acct, err := l.Store.Open(ctx, m.Account)
	if err != nil {
		return err
	}
	boxes, _, err := acct.Mailboxes(ctx, 0)
	if err != nil {
		return err
	}
	change := store.Change{Once: onceKey(m)}
	op.EmailID = store.NewEmailID()
	for _, p := range places {
		op.Mailbox, op.Flags, op.Keywords = mailboxOrInbox(boxes, p.Mailbox), p.Flags, p.Keywords
		change.Ops = append(change.Ops, op)
	}
	_, err = acct.Apply(ctx, change)
	if errors.Is(err, store.ErrOverQuota) && l.QuotaGrace > 0 {
		err = l.applyInGrace(ctx, acct, change, err)
	}
	return err
}

// applyInGrace applies a Change that goes over the quota, if the account was
// below it and QuotaGrace is enough. full is the error without grace.
func (l *LocalDelivery) applyInGrace(ctx context.Context, acct store.Account, change store.Change, full error) error {
	u, err := acct.Usage(ctx)
	if err != nil {
		return err
	}
	size := int64(0)
	for i, op := range change.Ops {
		add := op.(store.Append)
		size += add.Size + int64(len(add.Prefix))
		add.IgnoreQuota = true
		change.Ops[i] = add
	}
	limit := u.Limits
	over := limit.Bytes > 0 && (u.Bytes >= limit.Bytes || u.Bytes+size > limit.Bytes+l.QuotaGrace)
	if over || limit.Messages > 0 && u.Messages+int64(len(change.Ops)) > limit.Messages {
		return full
	}
	_, err = acct.Apply(ctx, change)
	return err
}

// onceKey is the same for every attempt at the same message and recipient, in
// whatever case the address is written.
func onceKey(m *LocalMessage) string {
	if m.Mail.Once == "" {
		return ""
	}
	return "deliver\x00" + m.Mail.Once + "\x00" + CanonicalAddress(m.Recipient.ForwardPath.Path)
}

func mailboxOrInbox(boxes []store.Mailbox, name string) store.MailboxID {
	var inbox store.MailboxID
	for i := range boxes {
		switch {
		case boxes[i].NoSelect:
		case boxes[i].Name == name:
			return boxes[i].ID
		case boxes[i].Name == "INBOX":
			inbox = boxes[i].ID
		}
	}
	return inbox
}

// answer turns the store's refusals into replies.
func (l *LocalDelivery) answer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrOverQuota) && l.QuotaPermanent:
		return &smtp.Error{Reply: smtp.NewReply(552, smtp.EnhancedCode{Class: 5, Subject: 2, Detail: 2}, "Mailbox full"), Err: err}
	case errors.Is(err, store.ErrOverQuota):
		return &smtp.Error{Reply: smtp.NewReply(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "Mailbox full"), Err: err}
	case errors.Is(err, store.ErrNoAccount):
		return &smtp.Error{Reply: errNoSuchUser().(*smtp.Error).Reply, Err: err}
	case errors.Is(err, store.ErrClosedAcct):
		return &smtp.Error{Reply: smtp.NewReply(550, smtp.EnhancedCode{Class: 5, Subject: 2, Detail: 1}, "Mailbox disabled"), Err: err}
	}
	return err
}

// NextHopLocal is the destination key of local mail.
const NextHopLocal = "local"

// shardKey spreads local mail over n destinations, so that one full or slow
// account does not hold the others up.
func shardKey(prefix, account string, n uint32) string {
	h := uint32(2166136261)
	for i := 0; i < len(account); i++ {
		h = (h ^ uint32(account[i])) * 16777619
	}
	return prefix + strconv.FormatUint(uint64(h%n), 10)
}

// keeping is local delivery of the copies that an alias keeps for itself.
type keeping struct{ smtp.Receiver }

// Begin implements smtp.Receiver.
func (k keeping) Begin(ctx context.Context, m *smtp.Mail) (smtp.Transaction, error) {
	return k.Receiver.Begin(context.WithValue(ctx, keptCopy{}, true), m)
}

// keptCopy is the key of a context in which an Alias with an Account is that
// account: who comes from elsewhere would miss what else it stands for.
type keptCopy struct{}
