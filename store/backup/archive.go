package backup

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/mailstead/mailstead/store/backup/format"
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

func newID(last string, now time.Time) string {
	n := 0
	if len(last) >= 8 {
		n, _ = strconv.Atoi(last[:8])
	}
	return fmt.Sprintf("%08d-%s", n+1, now.UTC().Format("20060102t150405z"))
}

// IDs lists the backups, the oldest first.
func (a *Archive) IDs(ctx context.Context) ([]string, error) { return a.ids(ctx, format.ManifestsAt) }

func (a *Archive) ids(ctx context.Context, at string) ([]string, error) {
	limit := a.Limits.WithDefaults().Backups
	var ids []string
	for info, err := range a.Target.List(ctx, at) {
		if err != nil {
			return nil, err
		}
		id := format.IDOf(info.Name)
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
	return format.ReadManifest(ctx, a.Target, id, a.Limits)
}

// openBodies loads the indexes of packs. A pack that is damaged goes to fault,
// which says whether to go on without it.
func (a *Archive) openBodies(ctx context.Context, c *format.Codec, packs []Object, fault func(error) error) (*format.Bodies, error) {
	b := format.NewBodies(a.Target, c, a.Limits)
	for i := range packs {
		err := b.Load(ctx, packs[i].Name)
		if err != nil && format.IsDamage(err) {
			err = fault(err)
		}
		if err != nil {
			return nil, err
		}
	}
	b.Order()
	return b, nil
}

// strict ends at the first fault.
func strict(err error) error { return err }
