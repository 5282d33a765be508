package deliver

import (
	"errors"
	"strings"

	"github.com/mailstead/mailstead/queue"
)

// Via begins the destinations of jobs that an operator has rerouted (queue.Edit):
// behind it is the key of Router.Remote that takes them, in place of what
// Directory and Remote say of their recipients, who stay as they are.
const Via = "via:"

// ErrReroute is in the chain of the error of a key that cannot be a domain or a
// name of a next hop.
var ErrReroute = errors.New("deliver: not the name of a next hop")

// Reroute is the destination of jobs that go to the next hop of this key. With
// MX that is a domain whose hosts take them; a SmartHost knows no other way than
// its own.
func Reroute(key string) (destination string, err error) {
	bad := func(c rune) bool { return c <= ' ' || c == 0x7f || c == '@' }
	if key == "" || len(key) > 255 || strings.ContainsFunc(key, bad) {
		return "", ErrReroute
	}
	return Via + CanonicalDomain(key), nil
}

// rerouted is the way of a job that an operator has rerouted.
func (r *Router) rerouted(j *queue.Job, key string) []queue.Hop {
	all := make([]int, len(j.Recipients))
	for i := range all {
		all[i] = i
	}
	receiver, name := r.Remote.Receiver(key)
	return []queue.Hop{{Recipients: all, Receiver: receiver, Name: name}}
}
