package backup

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store"
)

// The places of objects.
const (
	manifestsAt = "manifests/"
	runsAt      = "runs/" // backups on their way
	logsAt      = "logs/"
	packsAt     = "packs/"
	suffix      = ".json"
)

// Archive is a set of backups in a Target. Its methods may be called from any
// number of goroutines; Backup and Prune keep each other, and other
// processes, out. Restore and Verify read while a Backup writes, and are not
// to run beside a Prune.
type Archive struct {
	// Target is where the archive lies. Required; an empty one is an archive
	// without backups.
	Target Target

	// Limits bound what is read.
	Limits Limits
}

// idForm: a number, and when the backup began.
var idForm = regexp.MustCompile(`^[0-9]{8}-[0-9]{8}t[0-9]{6}z$`)

func newID(last string, now time.Time) string {
	n := 0
	if len(last) >= 8 {
		n, _ = strconv.Atoi(last[:8])
	}
	return fmt.Sprintf("%08d-%s", n+1, now.UTC().Format("20060102t150405z"))
}

func manifestName(id string) string { return manifestsAt + id + suffix }

// idOf is the id in the name of a manifest or of a run; "" = none.
func idOf(name string) string {
	_, id, _ := strings.Cut(strings.TrimSuffix(name, suffix), "/")
	if !strings.HasSuffix(name, suffix) || !idForm.MatchString(id) {
		return ""
	}
	return id
}

// IDs lists the backups, the oldest first.
func (a *Archive) IDs(ctx context.Context) ([]string, error) { return a.ids(ctx, manifestsAt) }

func (a *Archive) ids(ctx context.Context, at string) ([]string, error) {
	limit := a.Limits.withDefaults().Backups
	var ids []string
	for info, err := range a.Target.List(ctx, at) {
		if err != nil {
			return nil, err
		}
		id := idOf(info.Name)
		if id == "" {
			continue
		}
		if len(ids) == limit {
			return nil, fmt.Errorf("%w: more than %d backups", ErrLimit, limit)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

// Manifest reads the manifest of a backup; "" = the newest. ErrNoBackup,
// ErrDamaged, store.ErrVersion.
func (a *Archive) Manifest(ctx context.Context, id string) (*Manifest, error) {
	ids, err := a.IDs(ctx)
	if err != nil {
		return nil, err
	}
	switch {
	case len(ids) == 0:
		return nil, ErrNoBackup
	case id == "":
		id = ids[len(ids)-1]
	case !slices.Contains(ids, id):
		return nil, fmt.Errorf("%w: %q", ErrNoBackup, id)
	}
	m := &Manifest{}
	name := manifestName(id)
	if err := readHeaded(ctx, a.Target, name, a.Limits.withDefaults().Manifest, m); err != nil {
		return nil, err
	}
	return m, m.check(name)
}

// Entry is the entry of an account; of one mailbox, where id is not "". nil:
// there is none.
func (m *Manifest) Entry(account store.AccountID, mailbox string) *Entry {
	i, ok := slices.BinarySearchFunc(m.Accounts, &Entry{Account: account, Mailbox: mailbox}, func(e Entry, want *Entry) int {
		return e.compare(want)
	})
	if !ok {
		return nil
	}
	return &m.Accounts[i]
}

// openBodies loads the indexes of packs. A pack that is damaged goes to fault,
// which says whether to go on without it.
func (a *Archive) openBodies(ctx context.Context, c *codec, packs []Object, fault func(error) error) (*bodies, error) {
	b := &bodies{t: a.Target, c: c, limits: a.Limits.withDefaults()}
	for i := range packs {
		err := b.load(ctx, packs[i].Name)
		if err != nil && isDamage(err) {
			err = fault(err)
		}
		if err != nil {
			return nil, err
		}
	}
	b.order()
	return b, nil
}

// strict ends at the first fault.
func strict(err error) error { return err }
