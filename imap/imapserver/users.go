package imapserver

import (
	"sync"

	"github.com/mailstead/mailstead/store"
)

// Users counts the sessions of each user in the servers that share it. The zero
// value is ready for use; it must not be copied. Its methods may be called from
// any number of goroutines.
type Users struct {
	mu       sync.Mutex // guards what follows; a leaf
	sessions map[store.AccountID]int
}

// Sessions is how many sessions a user has.
func (u *Users) Sessions(id store.AccountID) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sessions[id]
}

// enter counts a session of a user in; false: there are limit of them.
func (u *Users) enter(id store.AccountID, limit int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if limit >= 0 && u.sessions[id] >= limit {
		return false
	}
	if u.sessions == nil {
		u.sessions = make(map[store.AccountID]int)
	}
	u.sessions[id]++
	return true
}

// leave counts a session out.
func (u *Users) leave(id store.AccountID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sessions[id]--; u.sessions[id] == 0 {
		delete(u.sessions, id)
	}
}
