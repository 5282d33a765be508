// Package publicnet keeps programs that connect to where strangers say from
// knocking at the doors of their own network.
package publicnet

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// ErrAddress: an address is not a public one.
var ErrAddress = errors.New("not a public address")

// Control refuses connections to addresses that only those inside can reach. It
// is for net.Dialer.Control, which sees what a name leads to as it is dialed.
func Control(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", ErrAddress, address)
	}
	if !IsPublic(ap.Addr()) {
		return fmt.Errorf("%w: %v", ErrAddress, ap.Addr())
	}
	return nil
}

// IsPublic reports whether an address is neither loopback, private, link-local, multicast nor unspecified, nor
// in another block that is not routed on the Internet or leads to IPv4.
func IsPublic(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, block := range [...]string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4", // RFC 6890
		"64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96",
	} {
		if netip.MustParsePrefix(block).Contains(a) {
			return false
		}
	}
	return true
}
