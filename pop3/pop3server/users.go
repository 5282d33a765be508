package pop3server

import (
	"sync"
	"time"

	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/store"
)

// Users remembers for the servers that share it who is logged in, and until
// when who has to wait for his next login. It is kept in memory, for each
// process by itself. The zero value is ready for use; it must not be copied.
// Its methods may be called from any number of goroutines.
type Users struct {
	sessions listen.Counts[store.AccountID]

	mu    sync.Mutex                    // guards what follows
	next  map[store.AccountID]time.Time // of the next login
	sweep int                           // the size of next at which the times that have passed are dropped
}

// wait is how long a user still has to wait at now.
func (u *Users) wait(id store.AccountID, now time.Time) time.Duration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(0, u.next[id].Sub(now))
}

// loggedIn notes a login after which the next one has to wait.
func (u *Users) loggedIn(id store.AccountID, now time.Time, delay time.Duration) {
	if delay <= 0 {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.next == nil {
		u.next, u.sweep = make(map[store.AccountID]time.Time), minSweep
	}
	u.next[id] = now.Add(delay)
	if len(u.next) < u.sweep {
		return
	}
	for id, at := range u.next {
		if !at.After(now) {
			delete(u.next, id)
		}
	}
	u.sweep = max(minSweep, 2*len(u.next))
}

const minSweep = 1024

// enter counts a session of a user in; false: there are limit of them. Zero or
// negative = no limit.
func (u *Users) enter(id store.AccountID, limit int) bool { return u.sessions.Enter(id, limit) }

// leave counts a session out.
func (u *Users) leave(id store.AccountID) { u.sessions.Leave(id) }
