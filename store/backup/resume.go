package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/mailstead/mailstead/store/backup/format"
)

// The names of the objects of a run.
const (
	rowsSuffix   = ".rows"
	bodiesSuffix = ".bodies"
	packSuffix   = ".pack"
)

func logName(id string, n int) string { return fmt.Sprintf("%s%s/%08d", format.LogsAt, id, n) }

func packName(id string, n int) string {
	return fmt.Sprintf("%s%s/%08d%s", format.PacksAt, id, n, packSuffix)
}

// resume finds what an interrupted run has done: its packs, and its logs, which
// say what they are of. What cannot be read is removed.
func (r *run) resume(ctx context.Context) error {
	var names []string
	for _, at := range [...]string{format.LogsAt, format.PacksAt} {
		for info, err := range r.Target.List(ctx, at+r.id+"/") {
			if err != nil {
				return err
			}
			names = append(names, info.Name)
		}
	}
	for _, name := range names {
		r.numbers = max(r.numbers, numberOf(name))
		err := r.adopt(ctx, name)
		if err != nil && format.IsDamage(err) {
			err = r.Target.Remove(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// numberOf is the number in the name of a log or pack.
func numberOf(name string) (n int) {
	_, _ = fmt.Sscanf(name[strings.LastIndex(name, "/")+1:], "%d", &n)
	return n
}

func (r *run) adopt(ctx context.Context, name string) error {
	switch {
	case strings.HasSuffix(name, packSuffix):
		s, err := format.OpenSource(ctx, r.Target, name, format.MagicPack, r.limits.Index)
		if err != nil {
			return err
		}
		s.Close()
		o, err := r.describe(ctx, name)
		if err == nil {
			r.packs = append(r.packs, o)
		}
		return err
	case strings.HasSuffix(name, rowsSuffix):
		l, err := format.OpenLog(ctx, r.Target, name, r.c, r.limits.Index)
		if err != nil {
			return err
		}
		r.resumed[logKey(&l.Meta)] = strings.TrimSuffix(name, rowsSuffix)
		return l.Close()
	}
	return nil
}

// logKey says what a log is of.
func logKey(m *format.LogMeta) string {
	parent := ""
	if m.Parent != nil {
		parent = m.Parent.Rows.Name
	}
	return fmt.Sprintf("%s\x00%s\x00%d\x00%s", m.Account, m.Mailbox, m.Since, parent)
}

// missing reports that an object is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// describe reads an object to its end.
func (a *Archive) describe(ctx context.Context, name string) (Object, error) {
	r, err := a.Target.Open(ctx, name)
	if err != nil {
		return Object{}, &Problem{Object: name, Err: err}
	}
	defer r.Close()
	sum := sha256.New()
	buf := make([]byte, 256<<10)
	for off := int64(0); off < r.Size(); {
		if err := ctx.Err(); err != nil {
			return Object{}, err
		}
		n, err := r.ReadAt(buf[:min(int64(len(buf)), r.Size()-off)], off)
		sum.Write(buf[:n])
		off += int64(n)
		if err == io.EOF && off < r.Size() {
			return Object{}, format.Damage(name, "it ends early")
		}
		if err != nil && err != io.EOF {
			return Object{}, &Problem{Object: name, Err: err}
		}
	}
	return Object{Name: name, Size: r.Size(), SHA256: fmt.Sprintf("%x", sum.Sum(nil))}, nil
}
