// Package maildirfmt is what Maildir++ trees hold beside messages: names of folders,
// flags in file names, and Dovecot's file of keywords.
package maildirfmt

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

// KeywordsFile is Dovecot's: a line "0 name" says that letter a means name.
const KeywordsFile = "dovecot-keywords"

// Keywords are the letters a..z of one mailbox. The zero value has none.
type Keywords struct{ names [26]string }

// ReadKeywords reads the file of a mailbox; there being none is no error.
func ReadKeywords(f vfs.FS, dir string) (*Keywords, error) {
	b, err := nfs.ReadFile(f, filepath.Join(dir, KeywordsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return new(Keywords), nil
	}
	if err != nil {
		return nil, err
	}
	k := new(Keywords)
	for line := range strings.Lines(string(b)) {
		num, name, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		if i, err := strconv.Atoi(num); err == nil && i >= 0 && i < len(k.names) && store.ValidKeyword(name) {
			k.names[i] = name
		}
	}
	return k, nil
}

// Name is the keyword of a letter; "" = it has none.
func (k *Keywords) Name(c byte) string {
	if c < 'a' || c > 'z' {
		return ""
	}
	return k.names[c-'a']
}

// Letter is the letter of a keyword.
func (k *Keywords) Letter(name string) (byte, bool) {
	for i, have := range k.names {
		if have != "" && store.SameKeyword(have, name) {
			return 'a' + byte(i), true
		}
	}
	return 0, false
}

// Add gives names letters while there are some left.
func (k *Keywords) Add(names []string) (changed bool) {
	for _, name := range names {
		if _, ok := k.Letter(name); ok {
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

// Write replaces the file in one step. The lock is Dovecot's own: the next
// content under another name. fs.ErrExist: another program has it.
func (k *Keywords) Write(f vfs.FS, dir string) error {
	path := filepath.Join(dir, KeywordsFile)
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
