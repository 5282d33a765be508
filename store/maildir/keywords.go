package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/internal/nfs"
	"github.com/mailstead/mailstead/internal/vfs"
	"github.com/mailstead/mailstead/store"
)

// keywordsFile is Dovecot's: a line "0 name" says that letter a means name.
const keywordsFile = "dovecot-keywords"

// keywords are the letters a..z of one mailbox. The zero value has none.
type keywords struct{ names [26]string }

func readKeywords(f vfs.FS, dir string) (*keywords, error) {
	b, err := nfs.ReadFile(f, filepath.Join(dir, keywordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return new(keywords), nil
	}
	if err != nil {
		return nil, err
	}
	k := new(keywords)
	for line := range strings.Lines(string(b)) {
		num, name, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if i, err := strconv.Atoi(num); err == nil && i >= 0 && i < len(k.names) && store.ValidKeyword(name) {
			k.names[i] = name
		}
	}
	return k, nil
}

func (k *keywords) name(c byte) string {
	if c < 'a' || c > 'z' {
		return ""
	}
	return k.names[c-'a']
}

func (k *keywords) letter(name string) (byte, bool) {
	for i, have := range k.names {
		if have != "" && store.SameKeyword(have, name) {
			return 'a' + byte(i), true
		}
	}
	return 0, false
}

// add gives names letters while there are some left.
func (k *keywords) add(names []string) (changed bool) {
	for _, name := range names {
		if _, ok := k.letter(name); ok {
			continue
		}
		for i := range k.names {
			if k.names[i] == "" {
				k.names[i], changed = name, true
				break
			}
		}
	}
	return changed
}

// write replaces the file in one step. The lock is Dovecot's own: the next
// content under another name. fs.ErrExist: another program has it.
func (k *keywords) write(f vfs.FS, dir string) error {
	path := filepath.Join(dir, keywordsFile)
	file, err := f.OpenFile(path+".lock", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	var text strings.Builder
	for i, name := range k.names {
		if name != "" {
			fmt.Fprintf(&text, "%d %s\n", i, name)
		}
	}
	_, err = io.WriteString(file, text.String())
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = f.Rename(path+".lock", path)
	}
	if err != nil {
		return errors.Join(err, f.Remove(path+".lock"))
	}
	return f.SyncDir(dir)
}
