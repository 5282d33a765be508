package deliver

import (
	"context"
	"errors"
	"strings"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Router sends local addresses to a store, expands aliases, and everything
// else to a remote next hop. It is a queue.Router. Directory, IsLocal, Local
// and Remote are required; the fields are set before the first use.
//
// A recipient whose next hop Key cannot know without I/O, as a user of a local
// domain whose mailbox is on another host, moves to the destination of that next
// hop at the first lease: mail for a host that does not answer never waits among
// local mail.
type Router struct {
	Directory Directory

	// IsLocal reports whether a domain is ours; no I/O.
	IsLocal func(domain string) bool

	// Local takes what the Directory calls Local.
	Local smtp.Receiver

	// Remote takes the rest, as a Chooser where it is one.
	Remote NextHops

	// LocalShards is the number of destinations over which local mail is
	// spread; zero = 64.
	LocalShards uint32

	// Owner names the address that takes the reports of a list: what an Alias of
	// this address sends on has it as reverse-path (RFC 5321 §3.9.2), provided the
	// Directory knows it. OwnerName and RequestName are such functions. nil, and a
	// zero path = the reverse-path stays, as is right for an alias.
	Owner func(list smtp.ForwardPath) smtp.ForwardPath

	// MaxExpand bounds the addresses that an Alias leads to; zero = 10,000. More
	// are refused with 5.5.3, so that a list is never served in part.
	MaxExpand int
}

// NextHops is the way out of this host.
type NextHops interface {
	// Key names the next hop of an address without any I/O: the smart host,
	// or the domain.
	Key(p smtp.ForwardPath) string

	// Receiver is what takes mail of that key. name is for logs and DSNs.
	Receiver(key string) (r smtp.Receiver, name string)
}

// Chooser is a NextHops that knows next hops which hang on more than the
// domain.
type Chooser interface {
	NextHops

	// Fixed names the next hop of an address that has one of its own, also in a
	// local domain. No I/O; what it cannot know, Choose and the Directory say.
	Fixed(p smtp.ForwardPath) (key string, ok bool)

	// Choose names the next hop of a recipient of this job, in place of Key,
	// where the Directory has not named it. An error defers the recipient; one
	// with a 5xx reply refuses it.
	Choose(ctx context.Context, j *queue.Job, p smtp.ForwardPath) (key string, err error)
}

var _ queue.Router = (*Router)(nil)

// Key implements queue.Keyer.
func (r *Router) Key(p smtp.ForwardPath) string {
	if c, ok := r.Remote.(Chooser); ok {
		if key, ok := c.Fixed(p); ok {
			return key
		}
	}
	if p.IsPostmaster() || r.IsLocal(p.Domain) {
		return shardKey(NextHopLocal+"/", CanonicalAddress(p.Path), r.shards())
	}
	return r.Remote.Key(p)
}

func (r *Router) shards() uint32 {
	if r.LocalShards == 0 {
		return 64
	}
	return r.LocalShards
}

// keptPrefix begins the destinations of copies that an alias which stands for
// itself too leaves in its own mailbox. They are not expanded again.
const keptPrefix = NextHopLocal + "/="

// Route implements queue.Router.
func (r *Router) Route(ctx context.Context, j *queue.Job) ([]queue.Hop, error) {
	if key, ok := strings.CutPrefix(j.Destination, Via); ok {
		return r.rerouted(j, key), nil
	}
	paths := make([]smtp.ForwardPath, len(j.Recipients))
	for i := range j.Recipients {
		paths[i] = j.Recipients[i].ForwardPath
	}
	entries, err := r.Directory.Lookup(ctx, paths)
	if err == nil && len(entries) != len(paths) {
		err = errLookupCount
	}
	if err != nil {
		return nil, directoryError(err)
	}
	a := routing{r: r, job: j, at: make(map[string]int)}
	kept := strings.HasPrefix(j.Destination, keptPrefix)
	for i, e := range entries {
		switch {
		case e.Err != nil:
			a.hops = append(a.hops, queue.Hop{Recipients: []int{i}, Err: directoryError(e.Err)})
		case kept && e.Kind == Alias && e.Account != "":
			a.add("kept", i, func() queue.Hop { return queue.Hop{Receiver: keeping{r.Local}, Name: NextHopLocal} })
		case e.Kind == Local:
			a.add("local", i, func() queue.Hop { return queue.Hop{Receiver: r.Local, Name: NextHopLocal} })
		case e.Kind == Alias && !kept:
			a.hops = append(a.hops, r.expand(ctx, j, i, e))
		case e.Kind == Remote, e.Kind == Relayed:
			a.remote(ctx, i, paths[i], e)
		default:
			a.hops = append(a.hops, queue.Hop{Recipients: []int{i}, Err: errNoSuchUser()})
		}
	}
	return a.hops, nil
}

// routing is the work of one Route.
type routing struct {
	r    *Router
	job  *queue.Job
	hops []queue.Hop
	at   map[string]int // places in hops
}

// add puts recipient i into the hop of this name, which is made when it is
// first needed.
func (a *routing) add(name string, i int, newHop func() queue.Hop) {
	n, ok := a.at[name]
	if !ok {
		n = len(a.hops)
		a.at[name] = n
		a.hops = append(a.hops, newHop())
	}
	a.hops[n].Recipients = append(a.hops[n].Recipients, i)
}

// remote finds the next hop of recipient i. Where that is another one than Key
// could say, the recipient moves there; only once, from where Key has put it.
func (a *routing) remote(ctx context.Context, i int, p smtp.ForwardPath, e Entry) {
	key, err := e.NextHop, error(nil)
	if key == "" {
		key, err = a.r.nextHop(ctx, a.job, p)
	}
	switch {
	case err != nil:
		a.hops = append(a.hops, queue.Hop{Recipients: []int{i}, Err: routeError(err)})
	case key != a.job.Destination && a.job.Destination == a.r.Key(p):
		a.add("move\x00"+key, i, func() queue.Hop { return queue.Hop{Move: key, Name: NextHopLocal} })
	default:
		a.add("send\x00"+key, i, func() queue.Hop {
			receiver, name := a.r.Remote.Receiver(key)
			return queue.Hop{Receiver: receiver, Name: name}
		})
	}
}

func (r *Router) nextHop(ctx context.Context, j *queue.Job, p smtp.ForwardPath) (string, error) {
	if c, ok := r.Remote.(Chooser); ok {
		return c.Choose(ctx, j, p)
	}
	return r.Remote.Key(p), nil
}

// routeError keeps a reply, and defers without one.
func routeError(err error) error {
	if _, ok := errors.AsType[*smtp.Error](err); ok {
		return err
	}
	return directoryError(err)
}
