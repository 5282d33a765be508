package maildirtree

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailstead/mailstead/internal/imapwire"
	"github.com/mailstead/mailstead/store"
)

const createFlags = os.O_WRONLY | os.O_CREATE

// Files with the names of the mailboxes that are subscribed.
const (
	dovecotSubscriptions = "subscriptions"
	courierSubscriptions = "courierimapsubscribed"
	dovecotVersion       = "V\t2"
	maxSubscriptions     = 4 << 20 // octets of a file
)

// subscriptions are the names that a user has subscribed to, levels joined by "/".
func (t *Tree) subscriptions() (map[string]bool, error) {
	names := make(map[string]bool)
	for _, file := range [...]string{dovecotSubscriptions, courierSubscriptions} {
		text, err := t.readText(file)
		if err != nil {
			return nil, err
		}
		separator := "."
		if strings.HasPrefix(text, dovecotVersion) {
			separator = "\t"
		}
		for line := range strings.Lines(text) {
			line = strings.TrimRight(line, "\r\n")
			if line == "" || line == dovecotVersion {
				continue
			}
			if file == courierSubscriptions {
				line = strings.TrimPrefix(line, "INBOX.")
			}
			names[t.subscribedName(line, separator)] = true
		}
	}
	return names, nil
}

func (t *Tree) subscribedName(line, separator string) string {
	var levels []string
	for level := range strings.SplitSeq(line, separator) {
		if s, err := imapwire.DecodeUTF7([]byte(level)); err == nil && !t.o.UTF8 {
			level = s
		}
		levels = append(levels, level)
	}
	return strings.Join(levels, store.Separator)
}

func (t *Tree) readText(file string) (string, error) {
	f, err := t.Files.FS.OpenFile(filepath.Join(t.Files.Root, file), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSubscriptions))
	return string(b), err
}

// subscribe adds a name to Dovecot's file.
func (t *Tree) subscribe(path []string) error {
	t.subs.Lock()
	defer t.subs.Unlock()
	text, err := t.readText(dovecotSubscriptions)
	if err != nil {
		return err
	}
	separator := "."
	if strings.HasPrefix(text, dovecotVersion) {
		separator = "\t"
	}
	var line []byte
	for i, level := range path {
		if i > 0 {
			line = append(line, separator...)
		}
		if t.o.UTF8 {
			line = append(line, level...)
		} else {
			line = imapwire.AppendUTF7(line, level)
		}
	}
	for have := range strings.Lines(text) {
		if strings.TrimRight(have, "\r\n") == string(line) {
			return nil
		}
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return t.replace(dovecotSubscriptions, text+string(line)+"\n")
}

func (t *Tree) replace(file, text string) error {
	path := filepath.Join(t.Files.Root, file)
	f, err := t.Files.FS.OpenFile(path+".migrate-new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := t.Files.FS.Rename(path+".migrate-new", path); err != nil {
		return err
	}
	return t.Files.FS.SyncDir(t.Files.Root)
}
