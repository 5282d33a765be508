package login

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
)

// errNets is what is wrong with allow_nets.
var ErrNets = errors.New("allow_nets is no list of addresses and prefixes")

// ParseNets reads a list of addresses and prefixes with commas between. The
// word "local" stands for peers without an address: it becomes the zero Prefix.
func ParseNets(text string) ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for word := range strings.SplitSeq(text, ",") {
		if word == "local" {
			nets = append(nets, netip.Prefix{})
			continue
		}
		p, err := netip.ParsePrefix(word)
		if err != nil {
			addr, err := netip.ParseAddr(word)
			if err != nil || addr.Zone() != "" {
				return nil, ErrNets
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		nets = append(nets, p.Masked())
	}
	return nets, nil
}

// admits reports whether a user of this record may log in from an address.
func (r Record) admits(peer netip.Addr) bool {
	if len(r.AllowNets) == 0 {
		return true
	}
	peer = peer.Unmap().WithZone("")
	return slices.ContainsFunc(r.AllowNets, func(p netip.Prefix) bool {
		return p.Contains(peer) || p == netip.Prefix{} && !peer.IsValid()
	})
}
