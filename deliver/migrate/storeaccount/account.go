package storeaccount

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/deliver/migrate"
	"github.com/mailstead/mailstead/store"
)

// Options of an Account. The zero value reads, and appends.
type Options struct {
	// Store names the store in Name, where one process knows several; "" = "store".
	Store string

	// Create makes the account where it is missing, with Limits.
	Create bool
	Limits store.Limits

	// KeepUIDs imports messages under the UIDs of their source: see the package
	// comment. The store must be able to import.
	KeepUIDs bool

	// IgnoreQuota appends beyond the limits of the account.
	IgnoreQuota bool
}

// Account is an account of a store as a migrate.Source and migrate.Target. Its
// methods may be called from any number of goroutines. Make one with New.
type Account struct {
	s       store.Store
	a       store.Account
	id      store.AccountID
	o       Options
	keeper  keeper
	imports bool // UIDs are kept

	mu     sync.Mutex
	finish bool // Finish opens the account
}

// New opens an account. It does not take over s, which stays open as long as the
// Account is used.
func New(ctx context.Context, s store.Store, id store.AccountID, o Options) (*Account, error) {
	x := &Account{s: s, id: id, o: o}
	a, err := s.Open(ctx, id)
	if errors.Is(err, store.ErrNoAccount) && o.Create {
		info := store.AccountInfo{ID: id, Limits: o.Limits}
		if o.KeepUIDs {
			info.State = store.AccountImporting
		}
		if err = s.Create(ctx, id, info); err == nil {
			a, err = s.Open(ctx, id)
		}
	}
	if err != nil {
		return nil, answer(err)
	}
	x.a = a
	x.keeper.a = a
	if !o.KeepUIDs {
		return x, nil
	}
	return x, x.beginImport(ctx)
}

// beginImport brings an account without messages into the state in which UIDs can
// be given. One that is in that state belongs to an earlier pass.
func (x *Account) beginImport(ctx context.Context) error {
	state, err := x.state(ctx)
	if err != nil {
		return err
	}
	if state == store.AccountActive {
		usage, err := x.a.Usage(ctx)
		if err != nil {
			return answer(err)
		}
		if usage.Messages > 0 {
			return nil // it is in use: append
		}
		state = store.AccountImporting
		_, err = x.a.Apply(ctx, store.Change{Ops: []store.Op{store.PutAccount{State: &state}}})
		if err != nil {
			return answer(err)
		}
	}
	x.imports = state == store.AccountImporting
	x.finish = x.imports
	return nil
}

func (x *Account) state(ctx context.Context) (store.AccountState, error) {
	after := x.id[:len(x.id)-1] // less than id, and not by much
	for info, err := range x.s.Accounts(ctx, after) {
		if err != nil {
			return 0, answer(err)
		}
		if info.ID == x.id {
			return info.State, nil
		}
		if info.ID > x.id {
			break
		}
	}
	return 0, answer(store.ErrNoAccount)
}

// Name is "store:" and the id of the account.
func (x *Account) Name() string {
	name := x.o.Store
	if name == "" {
		name = "store"
	}
	return name + ":" + string(x.id)
}

// MaxOpen is zero: a store has no limit.
func (x *Account) MaxOpen() int { return 0 }

// Close does nothing.
func (x *Account) Close() error { return nil }

// Mailboxes lists all mailboxes.
func (x *Account) Mailboxes(ctx context.Context) ([]migrate.Mailbox, error) {
	boxes, _, err := x.a.Mailboxes(ctx, 0)
	if err != nil {
		return nil, answer(err)
	}
	out := make([]migrate.Mailbox, len(boxes))
	for i := range boxes {
		out[i] = mailbox(&boxes[i])
	}
	return out, nil
}

func mailbox(m *store.Mailbox) migrate.Mailbox {
	return migrate.Mailbox{
		Path: strings.Split(m.Name, store.Separator), Key: m.ID.String(),
		Role: m.Role, Subscribed: m.Subscribed, NoSelect: m.NoSelect,
		Validity:    strconv.FormatUint(uint64(m.UIDValidity), 10),
		UIDValidity: m.UIDValidity, UIDNext: m.UIDNext,
		State:    fmt.Sprintf("%d/%d/%d", m.HighestModSeq, m.UIDNext, m.Messages),
		Messages: m.Messages, Bytes: m.Bytes,
		Hint: m.ID,
	}
}

func idOf(m *migrate.Mailbox) (store.MailboxID, error) {
	id, ok := m.Hint.(store.MailboxID)
	if !ok {
		return id, fmt.Errorf("%w: %q is not of this account", migrate.ErrNoMailbox, m.Name())
	}
	return id, nil
}

// Rules are those of a store.
func (x *Account) Rules() migrate.Rules {
	return migrate.Rules{Forbidden: store.Separator, MaxName: store.MaxName, KeepsUIDs: x.imports}
}

// Keeper keeps state in entries of the account.
func (x *Account) Keeper() migrate.Keeper { return &x.keeper }

// Put makes a mailbox, or sets role and subscription.
func (x *Account) Put(ctx context.Context, m migrate.Mailbox) (migrate.Mailbox, error) {
	name, err := store.CleanName(strings.Join(m.Path, store.Separator))
	if err != nil {
		return m, answer(err)
	}
	op := store.PutMailbox{ID: store.NewMailboxID(), Create: true, Name: name}
	have, err := store.MailboxByName(ctx, x.a, name)
	fresh := errors.Is(err, store.ErrNoMailbox) || err == nil && have.NoSelect
	if err != nil && !fresh {
		return m, answer(err)
	}
	if !fresh {
		op = store.PutMailbox{ID: have.ID}
	}
	if m.Role != "" {
		op.Role = &m.Role
	}
	if m.Subscribed {
		op.Subscribed = &m.Subscribed
	}
	if x.imports && (fresh || have.Messages == 0 && have.UIDNext <= 1) && m.UIDValidity != have.UIDValidity {
		op.UIDValidity = m.UIDValidity
	}
	if op.Create || op.Role != nil || op.Subscribed != nil || op.UIDValidity != 0 {
		if _, err := x.a.Apply(ctx, store.Change{Ops: []store.Op{op}}); err != nil {
			return m, answer(err)
		}
	}
	if have, err = store.MailboxByID(ctx, x.a, op.ID); err != nil {
		return m, answer(err)
	}
	return mailbox(&have), nil
}

// Finish opens an account that was imported into.
func (x *Account) Finish(ctx context.Context) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.finish {
		return nil
	}
	state := store.AccountActive
	_, err := x.a.Apply(ctx, store.Change{Ops: []store.Op{store.PutAccount{State: &state}}})
	if err != nil {
		return answer(err)
	}
	x.finish = false
	return nil
}

// answer adds migrate's error to one of the store.
func answer(err error) error {
	for _, a := range [...]struct{ is, as error }{
		{store.ErrOverQuota, migrate.ErrQuota},
		{store.ErrNoMailbox, migrate.ErrNoMailbox},
		{store.ErrName, migrate.ErrName},
		{store.ErrConflict, migrate.ErrBusy},
		{store.ErrNoMessage, migrate.ErrGone},
		{store.ErrExpunged, migrate.ErrGone},
		{store.ErrCorrupt, migrate.ErrBroken},
		{store.ErrNoBlob, migrate.ErrBroken},
		{store.ErrReadOnly, migrate.ErrPermission},
		{store.ErrImporting, migrate.ErrPermission},
		{store.ErrClosedAcct, migrate.ErrPermission},
		{store.ErrNoAccount, migrate.ErrLogin},
	} {
		if errors.Is(err, a.is) {
			return fmt.Errorf("%w: %w", a.as, err)
		}
	}
	return err
}
