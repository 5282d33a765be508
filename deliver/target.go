package deliver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/netip"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtpclient"
)

// target is one place to connect to.
type target struct {
	// addr is "host:port"; its host is what a certificate is for.
	addr string

	// ip is the address to connect to; the zero one leaves it to the Dialer.
	ip netip.Addr

	host    MXHost
	policy  TLSPolicy // nil = none
	rule    *TLSRule  // nil = TLS is as the Dialer says
	vouched bool      // the host is beyond doubt one of the domain
	refusal error     // of the policy; it counts unless the message waives it
}

// passedOver is the error of a host that a policy passes over.
type passedOver struct{ error }

func (p passedOver) Unwrap() error { return p.error }

// final is the error of a destination to which there is no way.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

func hostError(host string, err error) error { return fmt.Errorf("%s: %w", host, err) }

// targets are the ways to the next hop, best first.
func (r *Relay) targets(ctx context.Context, from Source) iter.Seq2[target, error] {
	if r.route != nil {
		return r.route(ctx, from)
	}
	return func(yield func(target, error) bool) {
		hosts, err := r.Hosts(ctx)
		if err != nil {
			yield(target{}, final{err})
			return
		}
		for _, addr := range hosts {
			if !yield(target{addr: addr}, nil) {
				return
			}
		}
	}
}

// fixed connects to one address, whatever name is dialed.
type fixed struct {
	net  smtpclient.ContextDialer
	addr netip.Addr
}

func (f fixed) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return f.net.DialContext(ctx, network, net.JoinHostPort(f.addr.String(), port))
}

var errSource = errors.New("deliver: a source address needs a Dialer whose Net is nil or a *net.Dialer")

// from is d so that it connects from a source to a target.
func dialFrom(d smtpclient.Dialer, from Source, to target) (smtpclient.Dialer, error) {
	if from.Hello != "" {
		d.Hello = from.Hello
	}
	if from.Addr.IsValid() {
		bound := net.Dialer{}
		switch n := d.Net.(type) {
		case nil:
		case *net.Dialer:
			bound = *n
		default:
			return d, errSource
		}
		bound.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from.Addr, 0))
		d.Net = &bound
	}
	if to.ip.IsValid() {
		if d.Net == nil {
			d.Net = &net.Dialer{}
		}
		d.Net = fixed{d.Net, to.ip}
	}
	return d, nil
}

// ruled is d so that TLS is as a rule says.
func ruled(d smtpclient.Dialer, rule *TLSRule) smtpclient.Dialer {
	switch {
	case rule == nil:
		return d
	case rule.Source == "none":
		d.TLS = smtpclient.TLSNever
		return d
	case rule.Required:
		d.TLS = smtpclient.TLSRequired
	default:
		d.TLS = smtpclient.TLSIfOffered
	}
	if rule.Config != nil {
		d.TLSConfig = rule.Config
	}
	return d
}

// key is what connections to a target have to have in common: where they go and
// come from, and what was verified.
func (to target) key(d *smtpclient.Dialer, from Source, wish string) smtpclient.Key {
	k := smtpclient.Key{Addr: to.addr, TLS: d.TLS, Policy: wish}
	if to.ip.IsValid() {
		k.Addr += " at " + to.ip.String()
	}
	if to.rule != nil {
		k.Policy += " " + to.rule.Source + " " + to.rule.Identity
	}
	if from != (Source{}) {
		k.Policy += " from " + from.Addr.String() + " " + from.Hello
	}
	return k
}

// observe tells the policy how a new connection went.
func (to target) observe(err error) {
	if to.policy == nil || to.rule == nil {
		return
	}
	if err != nil && !tlsFailed(err) {
		return
	}
	to.policy.Observe(to.host, to.ip, *to.rule, err)
}

// tlsFailed tells a failure of TLS from a connection that was never made.
func tlsFailed(err error) bool {
	_, ok := errors.AsType[*smtpclient.TLSError](err)
	return ok || errors.Is(err, smtpclient.ErrTLSRequired)
}

// unreached is the reply to show for hosts that could not be reached: never
// a permanent one, since another host or another day may do better.
func unreached(err error) error {
	if e, ok := errors.AsType[*smtp.Error](err); ok && e.Reply.Temporary() {
		return &smtp.Error{Reply: e.Reply, Err: err}
	}
	return &smtp.Error{Reply: smtp.NewReply(450, smtp.EnhancedCode{Class: 4, Subject: 4, Detail: 1}, "No mail host of the destination answers"), Err: err}
}
