package sqlstore

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/sqldb"
)

// metaBatch bounds the rows that one Work writes, so that it is never a large
// one; metasMax bounds what waits in memory, 8 MiB at most.
const (
	metaBatch = sqldb.Large
	metasMax  = 1024
)

// metas holds Meta that readers offered until it is written. It has one lane of
// the committer for all accounts, so that offers never hold up deliveries, and
// one goroutine, so that no reader waits for a sync. Readers see what waits.
type metas struct {
	cancel context.CancelFunc
	kicks  chan struct{}
	wg     sync.WaitGroup

	mu      sync.Mutex
	waiting map[metaKey]*offer
}

type metaKey struct {
	account, box int64
	uid          store.UID
}

func (k metaKey) compare(l metaKey) int {
	return cmp.Or(cmp.Compare(k.account, l.account), cmp.Compare(k.box, l.box), cmp.Compare(k.uid, l.uid))
}

// offer is Meta that waits. It is immutable.
type offer struct{ meta []byte }

func (m *metas) start(s *Store) {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel, m.kicks = cancel, make(chan struct{}, 1)
	m.waiting = make(map[metaKey]*offer)
	m.wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				m.write(s)
				return
			case <-m.kicks:
				m.write(s)
			}
		}
	})
}

// stop writes what waits and ends the goroutine.
func (m *metas) stop() {
	m.cancel()
	m.wg.Wait()
}

// put keeps an offer, unless a newer version waits. Beyond metasMax it is
// dropped: whoever needs it computes it again.
func (m *metas) put(k metaKey, meta []byte) {
	m.mu.Lock()
	old := m.waiting[k]
	switch {
	case old != nil && old.meta[0] > meta[0], old == nil && len(m.waiting) >= metasMax:
	default:
		m.waiting[k] = &offer{slices.Clone(meta)}
	}
	m.mu.Unlock()
	select {
	case m.kicks <- struct{}{}:
	default:
	}
}

// find returns the offers that wait for messages of a mailbox, one for each
// UID, or nil where none waits.
func (m *metas) find(account, box int64, uids []store.UID) []*offer {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.waiting) == 0 {
		return nil
	}
	out := make([]*offer, len(uids))
	for i, uid := range uids {
		out[i] = m.waiting[metaKey{account, box, uid}]
	}
	return out
}

// write writes what waits. What cannot be written is dropped.
func (m *metas) write(s *Store) {
	for {
		batch := m.take()
		if len(batch) == 0 {
			return
		}
		err := s.db.Commit(context.Background(), sqldb.Work{Key: "meta", Cost: len(batch), Do: func(tx *sqldb.Tx) error {
			for _, k := range slices.SortedFunc(maps.Keys(batch), metaKey.compare) { // no two nodes wait in a circle
				if err := writeMeta(tx, k, batch[k].meta); err != nil {
					return err
				}
			}
			return nil
		}})
		if err != nil {
			s.log.Debug("computed metadata of messages was not kept", "messages", len(batch), "error", err)
		}
		m.done(batch)
	}
}

// writeMeta compares versions, the first octets, in the statement.
func writeMeta(tx *sqldb.Tx, k metaKey, meta []byte) error {
	_, err := tx.Exec(`UPDATE fact SET meta = ? WHERE account = ? AND mailbox = ? AND uid = ?
		AND (meta IS NULL OR substr(meta, 1, 1) <= ?)`, meta, k.account, k.box, int64(k.uid), meta[:1])
	return err
}

func (m *metas) take() map[metaKey]*offer {
	m.mu.Lock()
	defer m.mu.Unlock()
	batch := make(map[metaKey]*offer, min(len(m.waiting), metaBatch))
	for k, o := range m.waiting {
		if batch[k] = o; len(batch) == metaBatch {
			break
		}
	}
	return batch
}

// done forgets what was written; it waited so long so that readers find it
// here or there.
func (m *metas) done(batch map[metaKey]*offer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, o := range batch {
		if m.waiting[k] == o {
			delete(m.waiting, k)
		}
	}
}
