package backup

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/backup/format"
)

// VerifyOptions say what is verified. The zero value verifies every backup and
// every octet.
type VerifyOptions struct {
	// Backup is the id of the only backup to verify; "" = all.
	Backup string

	// Quick leaves out the bodies: only that each is there is looked at.
	Quick bool

	// Store, when not nil, is compared with the newest backup: messages that
	// did not change since must be there as the backup has them.
	Store store.Store

	// Progress and Problem must not block for long. Problem hears of each
	// fault.
	Progress func(Progress)
	Problem  func(*Problem)
}

// VerifyReport is what was looked at.
type VerifyReport struct {
	Backups  int
	Accounts int   // states of accounts, each counted once
	Messages int64 // in these
	Objects  int
	Bodies   int64
	Problems int64
	Missing  int64 // messages whose body could not be read when they were taken

	// What no backup refers to is no fault; Prune removes such objects.
	Stray        int   // objects that no manifest names
	UnusedBodies int64 // in packs that are needed
	UnusedBytes  int64
	Compared     int64 // messages that were compared with the store
}

// Verify reads backups without restoring them: every object must be there and
// have its checksum, everything must decode, chains must be whole, every
// message must have a body that is in a pack, counters must be those of the
// messages. It goes on behind faults, which go to Problem; the error is that of
// Verify itself.
func (a *Archive) Verify(ctx context.Context, o VerifyOptions) (*VerifyReport, error) {
	ids, err := a.IDs(ctx)
	if err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, ErrNoBackup
	}
	all := ids
	if o.Backup != "" {
		ids = []string{o.Backup}
	}
	v := &verifier{
		Archive: a, listener: listener{onProgress: o.Progress, onProblem: o.Problem}, o: o, limits: a.Limits.WithDefaults(),
		objects: make(map[string]Object), seen: make(map[string]bool), packs: make(map[string]bool),
	}
	if v.c, err = format.NewCodec(); err != nil {
		return nil, err
	}
	defer v.c.Close()
	if err := v.manifests(ctx, ids); err != nil {
		return &v.report, err
	}
	if o.Backup == "" && len(ids) == len(all) {
		if err := v.strays(ctx); err != nil {
			return &v.report, err
		}
	}
	if o.Store != nil {
		if err := v.compare(ctx, ids[len(ids)-1]); err != nil {
			return &v.report, err
		}
	}
	return &v.report, nil
}

// verifier is one Verify.
type verifier struct {
	*Archive
	listener
	o      VerifyOptions
	limits Limits
	c      *format.Codec
	bodies *format.Bodies
	used   []bool // by place in bodies.table

	list    []*Manifest
	objects map[string]Object // what must be there
	seen    map[string]bool   // logs that were read as the end of a chain
	packs   map[string]bool   // those of objects

	report VerifyReport
}

// fault reports and goes on.
func (v *verifier) fault(err error) error {
	v.report.Problems++
	v.problem(err)
	return nil
}

// tolerate reports damage and returns other errors.
func (v *verifier) tolerate(err error) error {
	if err == nil || !format.IsDamage(err) && !errors.Is(err, store.ErrVersion) {
		return err
	}
	return v.fault(err)
}

// manifests verifies backups: first all that they name, then what it says.
func (v *verifier) manifests(ctx context.Context, ids []string) error {
	for _, id := range ids {
		m, err := v.Manifest(ctx, id)
		if err := v.tolerate(err); err != nil {
			return err
		}
		if err != nil {
			continue
		}
		v.report.Backups++
		v.list = append(v.list, m)
		v.progress.Total += len(m.Accounts)
		for i := range m.Packs {
			v.packs[m.Packs[i].Name] = true
			if err := v.expect(m.Packs[i]); err != nil {
				return err
			}
		}
	}
	v.progress.Total += len(v.packs)
	if err := v.loadPacks(ctx); err != nil {
		return err
	}
	defer v.bodies.Close()
	for _, m := range v.list {
		for i := range m.Accounts {
			v.progress.Account = m.Accounts[i].Account
			v.tell()
			if err := v.entry(ctx, &m.Accounts[i]); err != nil {
				return err
			}
			v.progress.Done++
		}
	}
	v.progress.Account = ""
	for i := range v.bodies.Packs {
		if err := v.pack(ctx, i); err != nil {
			return err
		}
		v.progress.Done++
		v.tell()
	}
	return nil
}

// expect notes an object; two manifests must say the same of it.
func (v *verifier) expect(o Object) error {
	old, ok := v.objects[o.Name]
	if ok && old != o {
		return v.fault(format.Damage(o.Name, "two backups say different things of it"))
	}
	v.objects[o.Name] = o
	return nil
}

func (v *verifier) loadPacks(ctx context.Context) error {
	v.bodies = format.NewBodies(v.Target, v.c, v.limits)
	for name := range v.packs {
		if err := v.object(ctx, v.objects[name]); err != nil {
			return err
		}
		if err := v.tolerate(v.bodies.Load(ctx, name)); err != nil {
			return err
		}
	}
	v.bodies.Order()
	v.used = make([]bool, len(v.bodies.Table))
	return nil
}

// object holds an object against its checksum.
func (v *verifier) object(ctx context.Context, want Object) error {
	v.report.Objects++
	got, err := v.describe(ctx, want.Name)
	switch {
	case missing(err):
		return nil // who opens it reports that
	case err != nil:
		return v.tolerate(err)
	case got != want:
		return v.fault(format.Damage(want.Name, "it has another checksum"))
	}
	return nil
}

// entry verifies an account as a backup has it.
func (v *verifier) entry(ctx context.Context, e *Entry) error {
	if v.seen[e.Log.Rows.Name] {
		return nil
	}
	v.seen[e.Log.Rows.Name] = true
	ch, err := format.OpenChain(ctx, v.Target, v.c, v.limits, e, v.fault)
	if err != nil {
		return err
	}
	defer ch.Close()
	if err := v.logs(ctx, &e.Log, ch); err != nil {
		return err
	}
	v.report.Accounts++
	boxes, _, err := ch.Mailboxes()
	if err != nil {
		return err
	}
	for i := range boxes {
		if err := v.mailbox(ctx, ch, &boxes[i]); err != nil {
			return err
		}
	}
	for _, err := range ch.Entries() {
		if err != nil {
			return err
		}
	}
	return nil
}

// logs notes the objects of a chain, and holds each against its checksum.
func (v *verifier) logs(ctx context.Context, l *Log, ch *format.Chain) error {
	for i := len(ch.Logs) - 1; i >= 0 && l != nil; i-- {
		for _, o := range [...]*Object{&l.Rows, l.Bodies} {
			if o == nil {
				continue
			}
			_, known := v.objects[o.Name]
			if err := v.expect(*o); err != nil {
				return err
			}
			if !known {
				if err := v.object(ctx, *o); err != nil {
					return err
				}
			}
		}
		l = ch.Logs[i].Rows.Meta.Parent
	}
	return nil
}

// mailbox reads the messages and holds the counters against them.
func (v *verifier) mailbox(ctx context.Context, ch *format.Chain, box *store.Mailbox) error {
	before := ch.Faults
	var sum store.Mailbox
	for m, err := range ch.Messages(*box) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if m.Gone {
			continue
		}
		count(&sum, &m.Message)
		v.report.Messages++
		v.progress.Messages++
		if err := v.message(ctx, ch, box, m); err != nil {
			return err
		}
	}
	if ch.Faults > before || sum.Messages == box.Messages && sum.Unseen == box.Unseen && sum.Deleted == box.Deleted && sum.Bytes == box.Bytes {
		return nil
	}
	return ch.Fault(format.About(format.Damage("", "%d messages, %d unseen, %d deleted, %d octets, but the counters say %d, %d, %d, %d",
		sum.Messages, sum.Unseen, sum.Deleted, sum.Bytes, box.Messages, box.Unseen, box.Deleted, box.Bytes),
		ch.Entry.Account, box.Name, 0))
}

func count(sum *store.Mailbox, m *store.Message) {
	sum.Messages++
	sum.Bytes += m.Size
	if m.Flags&store.Seen == 0 {
		sum.Unseen++
	}
	if m.Flags&store.Deleted != 0 {
		sum.Deleted++
	}
}

// message sees that the body is in a pack.
func (v *verifier) message(ctx context.Context, ch *format.Chain, box *store.Mailbox, m *format.Message) error {
	what := func(text string, args ...any) error {
		return ch.Fault(format.About(format.Damage("", text, args...), ch.Entry.Account, box.Name, m.UID))
	}
	switch {
	case m.NoBody:
		v.report.Missing++
		return nil
	case !m.HasBody:
		return what("nothing says what its body is")
	}
	e, at, ok, err := v.bodies.Lookup(ctx, m.Body)
	if err != nil && !format.IsDamage(err) {
		return err
	}
	if !ok {
		return what("its body %s is in no pack", m.Body)
	}
	v.used[at] = true
	if e.Size != m.Size-int64(len(m.Prefix)) {
		return what("its body has %d octets, want %d", e.Size, m.Size-int64(len(m.Prefix)))
	}
	return nil
}

// pack unpacks all bodies of a pack.
func (v *verifier) pack(ctx context.Context, i int) error {
	p := &v.bodies.Packs[i]
	for n := range p.Entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		v.report.Bodies++
		if v.o.Quick {
			continue
		}
		e, err := v.bodies.Entry(ctx, i, n)
		if err == nil {
			err = v.bodies.Unpack(ctx, io.Discard, e, i)
			v.progress.Bodies++
			v.progress.Bytes += e.Size
		}
		if err := v.tolerate(err); err != nil {
			return err
		}
	}
	v.bodies.Trim()
	return nil
}

// strays counts what nothing refers to.
func (v *verifier) strays(ctx context.Context) error {
	for info, err := range v.Target.List(ctx, "") {
		if err != nil {
			return err
		}
		if _, known := v.objects[info.Name]; !known && !strings.HasPrefix(info.Name, format.ManifestsAt) {
			v.report.Stray++
		}
	}
	for i, k := range v.bodies.Table {
		if v.used[i] {
			continue
		}
		v.report.UnusedBodies++
		if e, err := v.bodies.Entry(ctx, int(k.Pack), int(k.Entry)); err == nil {
			v.report.UnusedBytes += e.Stored
		}
	}
	return nil
}
