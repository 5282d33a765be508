package imapserver

import (
	"github.com/mailstead/mailstead/internal/listen"
	"github.com/mailstead/mailstead/store"
)

// Users counts the sessions of each user in the servers that share it. The zero
// value is ready for use; it must not be copied. Its methods may be called from
// any number of goroutines.
type Users struct {
	sessions listen.Counts[store.AccountID]
}

// Sessions is how many sessions a user has.
func (u *Users) Sessions(id store.AccountID) int { return u.sessions.Of(id) }

// enter counts a session of a user in; false: there are limit of them. Zero or
// negative = no limit.
func (u *Users) enter(id store.AccountID, limit int) bool { return u.sessions.Enter(id, limit) }

// leave counts a session out.
func (u *Users) leave(id store.AccountID) { u.sessions.Leave(id) }
