package sqlqueue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/mailstead/mailstead/store/sqldb"
)

// nodes is what a Storage does in another way where several nodes, each with a
// Storage of its own, work on one database.
type nodes struct {
	s    *Storage
	slot string // ends the names of this node's rows of queue_count
	sql  texts

	mu    sync.Mutex
	stale map[lane]bool // lanes to repair in the next commit
}

// maxStale bounds nodes.stale; a lane that is left out is seen again.
const maxStale = 256

func newNodes(ctx context.Context, s *Storage) (*nodes, error) {
	if err := s.db.Migrate(ctx, nodesComponent, nodesSchema()); err != nil {
		return nil, err
	}
	return &nodes{s: s, slot: rand.Text(), sql: textsFor(s.db.Dialect().Now), stale: make(map[lane]bool)}, nil
}

// noteStale has a lane repaired in the next commit of this node.
func (n *nodes) noteStale(l lane) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.stale) < maxStale {
		n.stale[l] = true
	}
}

// takeStale returns the lanes to repair.
func (n *nodes) takeStale() map[lane]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.stale) == 0 {
		return nil
	}
	out := n.stale
	n.stale = make(map[lane]bool)
	return out
}

// escape begins a string whose octets a database of UTF-8 text does not take.
const escape = "\x01"

// text is s as such a database holds it.
func (s *Storage) text(v string) string {
	if s.nodes == nil || utf8.ValidString(v) && !strings.Contains(v, "\x00") && !strings.HasPrefix(v, escape) {
		return v
	}
	return escape + hex.EncodeToString([]byte(v))
}

// octets is the reverse of text.
func (s *Storage) octets(v string) string {
	h, escaped := strings.CutPrefix(v, escape)
	if s.nodes == nil || !escaped {
		return v
	}
	b, err := hex.DecodeString(h)
	if err != nil {
		return v
	}
	return string(b)
}

// maxKey is the longest key that an index entry of every database holds.
const maxKey = 1000

// onceKey is a key of Job.Once as the database holds it.
func (s *Storage) onceKey(key string) string {
	if s.nodes == nil || len(key) <= maxKey {
		return s.text(key)
	}
	sum := sha256.Sum256([]byte(key))
	return escape + "sha256:" + hex.EncodeToString(sum[:])
}

// count adds to this node's share of a counter.
func (n *nodes) count(tx *sqldb.Tx, name string, d int64) error {
	if d == 0 {
		return nil
	}
	_, err := tx.Exec(addCount, name+"/"+n.slot, d)
	return err
}
