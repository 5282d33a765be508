package dkim

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/mailstead/mailstead/internal/mailsig"
	"github.com/mailstead/mailstead/internal/vfs"
)

// FileKeys is a KeyStore in a directory:
//
//	DIR/example.org/s2026.active.pem
//
// The name says the state, so that a change of it is one rename; the file has
// the key (PKCS #8, mode 0600). Other files are passed over. Several processes
// may read a directory; one writes.
type FileKeys struct {
	dir string
	fs  vfs.FS
	mu  sync.Mutex // held while something is changed
}

var _ KeyStore = (*FileKeys)(nil)

// NewFileKeys is a store in a directory, which is made when a key is added.
func NewFileKeys(dir string) *FileKeys { return &FileKeys{dir: dir, fs: vfs.OS{}} }

const (
	keySuffix  = ".pem"
	maxKeyFile = 64 << 10
	maxListed  = 3 // how often a directory that changes is listed again
)

// path is the directory of a domain.
func (s *FileKeys) path(domain string) (string, error) {
	if !mailsig.IsDomain([]byte(domain)) {
		return "", fmt.Errorf("%w: domain %q", ErrKey, domain)
	}
	return filepath.Join(s.dir, strings.ToLower(domain)), nil
}

func fileName(selector string, state State) string { return selector + "." + string(state) + keySuffix }

// parseName is the reverse of fileName.
func parseName(name string) (selector string, state State, ok bool) {
	base, ok := strings.CutSuffix(name, keySuffix)
	i := strings.LastIndexByte(base, '.')
	if !ok || i < 0 {
		return "", "", false
	}
	selector, state = base[:i], State(base[i+1:])
	return selector, state, state.valid() && mailsig.IsDomain([]byte(selector))
}

// states returns the state of each selector of a domain.
func (s *FileKeys) states(dir string) (map[string]State, error) {
	entries, err := s.fs.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	found := map[string]State{}
	for _, e := range entries {
		if selector, state, ok := parseName(e.Name()); ok {
			found[selector] = state
		}
	}
	return found, err
}

// Keys implements KeyStore.
func (s *FileKeys) Keys(_ context.Context, domain string) ([]StoredKey, error) {
	dir, err := s.path(domain)
	if err != nil {
		return nil, err
	}
	for again := 0; ; again++ {
		keys, err := s.keys(dir, strings.ToLower(domain))
		if again == maxListed || !errors.Is(err, fs.ErrNotExist) {
			return keys, err
		}
	}
}

// keys reads the keys that a directory lists. The error is fs.ErrNotExist where
// the state of one is changed meanwhile, and with it the name of its file.
func (s *FileKeys) keys(dir, domain string) ([]StoredKey, error) {
	found, err := s.states(dir)
	if err != nil {
		return nil, fmt.Errorf("dkim: %w", err)
	}
	var keys []StoredKey
	for selector, state := range found {
		k := StoredKey{Key: Key{Domain: domain, Selector: selector}, State: state}
		if k.Signer, err = s.read(filepath.Join(dir, fileName(selector, state))); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b StoredKey) int { return strings.Compare(a.Selector, b.Selector) })
	return keys, nil
}

func (s *FileKeys) read(name string) (signer crypto.Signer, err error) {
	f, err := s.fs.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("dkim: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("dkim: %w", err)
	}
	if signer, err = ParsePrivateKey(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return signer, nil
}

// Add implements KeyStore. The key is on stable storage before it has its name.
func (s *FileKeys) Add(_ context.Context, k StoredKey) error {
	dir, err := s.path(k.Domain)
	if err != nil {
		return err
	}
	if _, err := k.algorithm(); err != nil {
		return err
	}
	if !k.State.valid() {
		return fmt.Errorf("%w: %q", ErrState, k.State)
	}
	text, err := MarshalPrivateKey(k.Signer)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found, err := s.states(dir)
	if err != nil {
		return fmt.Errorf("dkim: %w", err)
	}
	if _, exists := found[k.Selector]; exists {
		return fmt.Errorf("%w: %s of %s", ErrKeyExists, k.Selector, k.Domain)
	}
	if err := s.fs.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("dkim: %w", err)
	}
	return s.writeLocked(dir, fileName(k.Selector, k.State), text)
}

func (s *FileKeys) writeLocked(dir, name string, text []byte) error {
	temp := filepath.Join(dir, ".new")
	f, err := s.fs.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("dkim: %w", err)
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("dkim: %w", err)
	}
	return s.renameLocked(dir, ".new", name)
}

func (s *FileKeys) renameLocked(dir, from, to string) error {
	err := s.fs.Rename(filepath.Join(dir, from), filepath.Join(dir, to))
	if err == nil {
		err = s.fs.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("dkim: %w", err)
	}
	return nil
}

// SetState implements KeyStore.
func (s *FileKeys) SetState(_ context.Context, domain, selector string, to State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, from, err := s.findLocked(domain, selector)
	switch {
	case err != nil:
		return err
	case from == to:
		return nil
	case !to.valid(), from == Retired:
		return fmt.Errorf("%w: from %q to %q", ErrState, from, to)
	}
	return s.renameLocked(dir, fileName(selector, from), fileName(selector, to))
}

// Remove implements KeyStore.
func (s *FileKeys) Remove(_ context.Context, domain, selector string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, state, err := s.findLocked(domain, selector)
	if err != nil {
		return err
	}
	if err = s.fs.Remove(filepath.Join(dir, fileName(selector, state))); err == nil {
		err = s.fs.SyncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("dkim: %w", err)
	}
	return nil
}

func (s *FileKeys) findLocked(domain, selector string) (dir string, state State, err error) {
	if dir, err = s.path(domain); err != nil {
		return "", "", err
	}
	found, err := s.states(dir)
	if err != nil {
		return "", "", fmt.Errorf("dkim: %w", err)
	}
	state, ok := found[selector]
	if !ok {
		return "", "", fmt.Errorf("%w: %s of %s", ErrNoKey, selector, domain)
	}
	return dir, state, nil
}
