package deliver

import (
	"context"
	"errors"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

// The bounds of an alias expansion.
const (
	maxAliasDepth   = 10
	defaultMaxPaths = 10_000
)

var (
	errAliasLoop  = errors.New("deliver: alias expansion does not end")
	errAliasPaths = errors.New("deliver: alias stands for too many addresses")
)

// OwnerName is owner-LIST for an address LIST, a value for Router.Owner.
func OwnerName(list smtp.ForwardPath) smtp.ForwardPath {
	list.Local = "owner-" + list.Local
	return list
}

// RequestName is LIST-request for an address LIST (RFC 2142 §6), a value for
// Router.Owner.
func RequestName(list smtp.ForwardPath) smtp.ForwardPath {
	list.Local += "-request"
	return list
}

// expand follows aliases to addresses that are none, each at most once. An
// alias that leads only to itself is a loop (RFC 3463 §3.5: 5.4.6), unless it
// keeps a copy.
func (r *Router) expand(ctx context.Context, j *queue.Job, i int, e Entry) queue.Hop {
	rcpt := j.Recipients[i].Recipient
	x := expansion{r: r, params: rcpt.Params, seen: map[string]bool{CanonicalAddress(rcpt.ForwardPath.Path): true}}
	sender, err := r.owner(ctx, rcpt.ForwardPath)
	if err == nil {
		if sender != nil {
			x.params = smtp.RcptParams{} // RFC 3461 §5.2.7.1
		}
		err = x.follow(ctx, rcpt.ForwardPath, e)
	}
	if err != nil {
		return queue.Hop{Recipients: []int{i}, Err: routeError(err)}
	}
	hop := queue.Hop{Recipients: []int{i}, Name: NextHopLocal, Expand: x.to, Sender: sender}
	if x.keeps {
		hop.At = x.at
	}
	return hop
}

// owner is the reverse-path of what a list sends on; nil = as it is.
func (r *Router) owner(ctx context.Context, list smtp.ForwardPath) (*smtp.ReversePath, error) {
	if r.Owner == nil || list.Domain == "" {
		return nil, nil
	}
	p := r.Owner(list)
	if p.IsZero() {
		return nil, nil
	}
	e, err := LookupOne(ctx, r.Directory, p)
	if err != nil || e.Kind == Unknown || e.CatchAll {
		return nil, err
	}
	sender := smtp.ReversePath(p)
	return &sender, nil
}

// expansion is what an alias stands for, as far as it is known.
type expansion struct {
	r      *Router
	params smtp.RcptParams
	seen   map[string]bool
	to     []smtp.Recipient
	at     []string // destinations of to; "" = that of Key
	keeps  bool     // there is one
}

// follow goes down level by level from an alias.
func (x *expansion) follow(ctx context.Context, alias smtp.ForwardPath, e Entry) error {
	level := x.alias(alias, e, nil)
	for depth := 0; len(level) > 0; depth++ {
		if depth == maxAliasDepth {
			return aliasError(5, 4, 6, "Alias expansion does not end", errAliasLoop)
		}
		fresh, err := x.unseen(level)
		if err != nil {
			return err
		}
		if len(fresh) == 0 {
			break
		}
		entries, err := x.r.Directory.Lookup(ctx, fresh)
		if err == nil && len(entries) != len(fresh) {
			err = errLookupCount
		}
		if err != nil {
			return directoryError(err)
		}
		level = nil
		for k, en := range entries {
			if en.Kind == Alias && en.Err == nil {
				level = x.alias(fresh[k], en, level)
			} else {
				x.add(fresh[k], "")
			}
		}
	}
	if len(x.to) == 0 {
		return aliasError(5, 4, 6, "Alias expansion does not end", errAliasLoop)
	}
	return nil
}

// alias adds what an alias stands for to level, and its own copy to the result.
func (x *expansion) alias(p smtp.ForwardPath, e Entry, level []smtp.ForwardPath) []smtp.ForwardPath {
	if e.Account != "" {
		x.keeps = true
		x.add(p, shardKey(keptPrefix, CanonicalAddress(p.Path), x.r.shards()))
	}
	return append(level, e.Expand...)
}

func (x *expansion) add(p smtp.ForwardPath, at string) {
	x.to = append(x.to, smtp.Recipient{ForwardPath: p, Params: x.params})
	x.at = append(x.at, at)
}

// unseen are the paths that did not occur yet.
func (x *expansion) unseen(level []smtp.ForwardPath) (fresh []smtp.ForwardPath, err error) {
	limit := x.r.MaxExpand
	if limit <= 0 {
		limit = defaultMaxPaths
	}
	for _, p := range level {
		key := CanonicalAddress(p.Path)
		if x.seen[key] {
			continue
		}
		if len(x.seen) > limit { // one of them is the alias itself
			return nil, aliasError(5, 5, 3, "The alias stands for too many addresses", errAliasPaths)
		}
		x.seen[key] = true
		fresh = append(fresh, p)
	}
	return fresh, nil
}

func aliasError(class, subject, detail uint16, text string, cause error) error {
	return &smtp.Error{Reply: smtp.NewReply(554, smtp.EnhancedCode{Class: class, Subject: subject, Detail: detail}, text), Err: cause}
}
