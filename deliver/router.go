package deliver

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// Router sends local addresses to a store, expands aliases, and everything
// else to a remote next hop. It is a queue.Router. Directory, IsLocal, Local
// and Remote are required; the fields are set before the first use.
type Router struct {
	Directory Directory

	// IsLocal reports whether a domain is ours; no I/O.
	IsLocal func(domain string) bool

	// Local takes what the Directory calls Local.
	Local smtp.Receiver

	// Remote takes the rest.
	Remote NextHops

	// LocalShards is the number of destinations over which local mail is
	// spread; zero = 64.
	LocalShards uint32
}

// NextHops is the way out of this host.
type NextHops interface {
	// Key names the next hop of an address without any I/O: the smart host,
	// or the domain.
	Key(p smtp.ForwardPath) string

	// Receiver is what takes mail of that key. name is for logs and DSNs.
	Receiver(key string) (r smtp.Receiver, name string)
}

var _ queue.Router = (*Router)(nil)

// Key implements queue.Keyer.
func (r *Router) Key(p smtp.ForwardPath) string {
	if p.IsPostmaster() || r.IsLocal(p.Domain) {
		n := r.LocalShards
		if n == 0 {
			n = 64
		}
		return shardKey(CanonicalAddress(p.Path), n)
	}
	return r.Remote.Key(p)
}

// Route implements queue.Router.
func (r *Router) Route(ctx context.Context, j *queue.Job) ([]queue.Hop, error) {
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
	var hops []queue.Hop
	local := queue.Hop{Receiver: r.Local, Name: NextHopLocal}
	remote := make(map[string]int)
	for i, e := range entries {
		switch {
		case e.Err != nil:
			hops = append(hops, queue.Hop{Recipients: []int{i}, Err: directoryError(e.Err)})
		case e.Kind == Unknown:
			hops = append(hops, queue.Hop{Recipients: []int{i}, Err: errNoSuchUser()})
		case e.Kind == Local:
			local.Recipients = append(local.Recipients, i)
		case e.Kind == Alias:
			hops = append(hops, r.expand(ctx, j, i, e))
		default:
			hops = r.addRemote(hops, remote, i, paths[i])
		}
	}
	if len(local.Recipients) > 0 {
		hops = append(hops, local)
	}
	return hops, nil
}

func (r *Router) addRemote(hops []queue.Hop, at map[string]int, i int, p smtp.ForwardPath) []queue.Hop {
	key := r.Remote.Key(p)
	n, ok := at[key]
	if !ok {
		n = len(hops)
		at[key] = n
		receiver, name := r.Remote.Receiver(key)
		hops = append(hops, queue.Hop{Receiver: receiver, Name: name})
	}
	hops[n].Recipients = append(hops[n].Recipients, i)
	return hops
}

// The bounds of an alias expansion.
const (
	maxAliasDepth = 10
	maxAliasPaths = 10_000
)

var errAliasLoop = errors.New("deliver: alias expansion does not end")

// expand follows aliases to addresses that are none, each at most once. An
// alias that leads only to itself is a loop (RFC 3463 §3.5: 5.4.6).
func (r *Router) expand(ctx context.Context, j *queue.Job, i int, e Entry) queue.Hop {
	hop := queue.Hop{Recipients: []int{i}, Name: NextHopLocal}
	seen := map[string]bool{CanonicalAddress(j.Recipients[i].ForwardPath.Path): true}
	level := e.Expand
	for depth := 0; len(level) > 0; depth++ {
		if depth == maxAliasDepth || len(hop.Expand) > maxAliasPaths {
			hop.Expand = nil
			break
		}
		var fresh []smtp.ForwardPath
		for _, p := range level {
			if key := CanonicalAddress(p.Path); !seen[key] {
				seen[key] = true
				fresh = append(fresh, p)
			}
		}
		entries, err := r.Directory.Lookup(ctx, fresh)
		if err != nil || len(entries) != len(fresh) {
			return queue.Hop{Recipients: hop.Recipients, Err: directoryError(errors.Join(err, errLookupCount))}
		}
		level = nil
		for k, en := range entries {
			if en.Kind == Alias && en.Err == nil {
				level = append(level, en.Expand...)
				continue
			}
			rcpt := smtp.Recipient{ForwardPath: fresh[k], Params: j.Recipients[i].Params}
			hop.Expand = append(hop.Expand, rcpt)
		}
	}
	if len(hop.Expand) == 0 {
		hop.Err = &smtp.Error{Reply: smtp.NewReply(554, smtp.EnhancedCode{Class: 5, Subject: 4, Detail: 6}, "Alias expansion does not end"), Err: errAliasLoop}
	}
	return hop
}
