package objects

import (
	"bytes"
	"sync"

	"github.com/mailstead/mailstead/store/blob"
)

// NewMemory returns an open blob whose octets lie in memory. p is not copied.
func NewMemory(p []byte) blob.Blob { return &memory{size: int64(len(p)), r: bytes.NewReader(p)} }

type memory struct {
	size int64
	mu   sync.RWMutex
	r    *bytes.Reader // nil = closed
}

func (m *memory) Size() int64 { return m.size }

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.r == nil {
		return 0, blob.ErrClosed
	}
	return m.r.ReadAt(p, off)
}

func (m *memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.r = nil
	return nil
}
