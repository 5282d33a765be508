package encrypt

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// The key file is lines of text, "#" begins a comment:
//
//	mailstead keys 1
//	index ID KEY
//	key ID KEY       (any number, in the order in which they were made)
//	current ID
//
// A KEY is 32 octets in base64.
const (
	fileHeader  = "mailstead keys 1"
	maxFileSize = 1 << 20
	keyLen      = 32
)

// KeyFile is a KeyRing in a file that only its owner may read. Every change
// is durable when the method returns. Whoever loses the file loses the mail:
// keep a copy elsewhere, and not beside the backups of the mail.
type KeyFile struct {
	path string

	mu   sync.RWMutex // guards what follows
	ring ring
}

var _ KeyRing = (*KeyFile)(nil)

// ring is the content of a key file. It is replaced, never changed.
type ring struct {
	keys    []namedKey // index first
	current KeyID
}

type namedKey struct {
	id     KeyID
	secret [keyLen]byte
}

// CreateKeyFile makes a file with fresh keys, one of which is current. An error
// that is fs.ErrExist: there is a file, which stays as it is.
func CreateKeyFile(path string) (*KeyFile, error) {
	first := newKey()
	f := &KeyFile{path: path, ring: ring{keys: []namedKey{newKey(), first}, current: first.id}}
	if err := writeFile(path, f.ring.encode(), os.Link); err != nil {
		return nil, fmt.Errorf("encrypt: create key file: %w", err)
	}
	return f, nil
}

// OpenKeyFile reads a key file. It refuses one that others may read or write.
func OpenKeyFile(path string) (*KeyFile, error) {
	f := &KeyFile{path: path}
	if err := f.Reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Reload reads the file again: another process has changed it. After an error
// the keys are those from before.
func (f *KeyFile) Reload() error {
	r, err := readRing(f.path)
	if err != nil {
		return fmt.Errorf("encrypt: key file: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring = r
	return nil
}

func readRing(path string) (ring, error) {
	file, err := os.Open(path)
	if err != nil {
		return ring{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return ring{}, err
	case !info.Mode().IsRegular():
		return ring{}, fmt.Errorf("%s is not a file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return ring{}, fmt.Errorf("%s has mode %04o: others may read it; chmod 600 makes it the owner's alone", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return ring{}, err
	}
	r, err := parseRing(text)
	if err != nil {
		return ring{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// parseRing reads a key file. Its errors name lines, never what stands there.
func parseRing(text []byte) (r ring, err error) {
	if len(text) > maxFileSize {
		return r, errors.New("too long to be a key file")
	}
	var index, keys []namedKey
	header := false
	for n, line := range strings.Split(string(text), "\n") {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		bad := fmt.Errorf("line %d is not one of a key file", n+1)
		switch {
		case len(f) == 0:
			continue
		case !header:
			if header = strings.Join(f, " ") == fileHeader; !header {
				return ring{}, errors.New("not a key file, or one of a newer version")
			}
			continue
		case f[0] == "current" && len(f) == 2 && r.current == "":
			r.current = KeyID(f[1])
			continue
		case len(f) != 3:
			return ring{}, bad
		}
		k := namedKey{id: KeyID(f[1])}
		secret, err := base64.StdEncoding.DecodeString(f[2])
		if err != nil || copy(k.secret[:], secret) != keyLen || len(secret) != keyLen || !k.id.valid() {
			return ring{}, bad
		}
		switch f[0] {
		case "index":
			index = append(index, k)
		case "key":
			keys = append(keys, k)
		default:
			return ring{}, bad
		}
	}
	r.keys = slices.Concat(index, keys)
	return r, r.check(len(index))
}

func (r *ring) check(indexes int) error {
	if indexes != 1 {
		return errors.New("there has to be one index key")
	}
	seen := map[KeyID]bool{}
	for _, k := range r.keys {
		if seen[k.id] {
			return fmt.Errorf("two keys are called %q", k.id)
		}
		seen[k.id] = true
	}
	if !seen[r.current] || r.current == r.keys[0].id {
		return errors.New("the current key is not there")
	}
	return nil
}

func (r *ring) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Who loses these keys loses the mail; who has them can read it.\n%s\n", fileHeader)
	for i, k := range r.keys {
		kind := "key"
		if i == 0 {
			kind = "index"
		}
		fmt.Fprintf(&b, "%s %s %s\n", kind, k.id, base64.StdEncoding.EncodeToString(k.secret[:]))
	}
	fmt.Fprintf(&b, "current %s\n", r.current)
	return b.Bytes()
}

func newKey() (k namedKey) {
	rand.Read(k.secret[:])
	var id [4]byte
	rand.Read(id[:])
	k.id = KeyID(hex.EncodeToString(id[:]))
	return k
}

// Current implements KeyRing.
func (f *KeyFile) Current(context.Context) (KeyID, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ring.current, nil
}

// Index implements KeyRing.
func (f *KeyFile) Index(context.Context) (KeyID, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.ring.keys[0].id, nil
}

// Derive implements KeyRing.
func (f *KeyFile) Derive(_ context.Context, id KeyID, label string) (out [32]byte, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for i := range f.ring.keys {
		if k := &f.ring.keys[i]; k.id == id {
			mac := hmac.New(sha256.New, k.secret[:])
			io.WriteString(mac, label)
			mac.Sum(out[:0])
			return out, nil
		}
	}
	return out, fmt.Errorf("%w: %q is not in %s", ErrNoKey, id, f.path)
}

// Keys are the ids of all keys but that of the index, oldest first.
func (f *KeyFile) Keys() (ids []KeyID) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, k := range f.ring.keys[1:] {
		ids = append(ids, k.id)
	}
	return ids
}

// Add adds a fresh key, which is not current yet: where several nodes have
// the file, all of them get it before one of them uses the key.
func (f *KeyFile) Add() (KeyID, error) {
	k := newKey()
	err := f.change(func(r *ring) error {
		r.keys = append(r.keys, k)
		return nil
	})
	return k.id, err
}

// Use makes a key current. ErrNoKey.
func (f *KeyFile) Use(id KeyID) error {
	return f.change(func(r *ring) error {
		if !slices.ContainsFunc(r.keys[1:], func(k namedKey) bool { return k.id == id }) {
			return ErrNoKey
		}
		r.current = id
		return nil
	})
}

// Rotate is Add and Use: what is encrypted from now on has a fresh key.
func (f *KeyFile) Rotate() (KeyID, error) {
	k := newKey()
	err := f.change(func(r *ring) error {
		r.keys, r.current = append(r.keys, k), k.id
		return nil
	})
	return k.id, err
}

// Remove forgets a key for ever. What was encrypted with it and not rewrapped
// is lost: ask Store.Uses before, and look into the queue. The current key and
// that of the index cannot be removed. ErrNoKey.
func (f *KeyFile) Remove(id KeyID) error {
	return f.change(func(r *ring) error {
		i := slices.IndexFunc(r.keys, func(k namedKey) bool { return k.id == id })
		switch {
		case i < 0:
			return ErrNoKey
		case i == 0 || id == r.current:
			return errors.New("the key is in use")
		}
		r.keys = slices.Delete(r.keys, i, i+1)
		return nil
	})
}

// change writes the file with what do made of its content now.
func (f *KeyFile) change(do func(*ring) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := readRing(f.path)
	if err == nil {
		err = do(&r)
	}
	if err == nil {
		err = r.check(1)
	}
	if err == nil {
		err = writeFile(f.path, r.encode(), os.Rename)
	}
	if err != nil {
		return fmt.Errorf("encrypt: key file: %w", err)
	}
	f.ring = r
	return nil
}

// writeFile makes the file whole and durable under another name, gives it its
// own with place, and makes that durable.
func writeFile(path string, text []byte, place func(from, to string) error) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".keys-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if e := os.Remove(tmp.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) && err == nil {
			err = e
		}
	}()
	_, err = tmp.Write(text)
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := place(tmp.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if runtime.GOOS == "windows" {
		err = nil // directories cannot be synced there
	}
	return errors.Join(err, d.Close())
}

// String names the file: keys do not come into logs.
func (f *KeyFile) String() string { return "encrypt.KeyFile(" + f.path + ")" }

// GoString is String.
func (f *KeyFile) GoString() string { return f.String() }

// LogValue implements slog.LogValuer.
func (f *KeyFile) LogValue() slog.Value { return slog.StringValue(f.String()) }
