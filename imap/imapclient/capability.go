package imapclient

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// capabilities are what the server announced last.
type capabilities struct {
	known bool
	list  []imap.Capability // as they came
	has   map[imap.Capability]bool
	fresh uint64 // counts the announcements
}

// setCapabilities takes the words of a CAPABILITY response or code.
func (c *Client) setCapabilities(args string) error {
	words := strings.Fields(args)
	if len(words) > c.limits.Caps {
		return fmt.Errorf("%w: %d capabilities", ErrLimit, len(words))
	}
	caps := capabilities{known: true, fresh: c.caps.fresh + 1, has: make(map[imap.Capability]bool, len(words))}
	for _, w := range words {
		capability := canonical(w)
		if !caps.has[capability] {
			caps.has[capability] = true
			caps.list = append(caps.list, capability)
		}
	}
	c.caps = caps
	return nil
}

// canonical is a capability in upper case, those apart whose names this module
// writes in another way.
func canonical(word string) imap.Capability {
	switch up := strings.ToUpper(word); up {
	case "IMAP4REV1":
		return imap.CapIMAP4rev1
	case "IMAP4REV2":
		return imap.CapIMAP4rev2
	default:
		if strings.HasPrefix(up, "RIGHTS=") {
			return imap.Capability("RIGHTS=" + word[len("RIGHTS="):])
		}
		return imap.Capability(up)
	}
}

// inRev2 is what IMAP4rev2 has without saying so (RFC 9051 appendix E).
var inRev2 = map[imap.Capability]bool{
	imap.CapNamespace: true, imap.CapUnselect: true, imap.CapUIDPlus: true, imap.CapESearch: true,
	imap.CapSearchRes: true, imap.CapEnable: true, imap.CapIdle: true, imap.CapSASLIR: true,
	imap.CapListExtended: true, imap.CapListStatus: true, imap.CapMove: true, imap.CapLiteralMinus: true,
	imap.CapSpecialUse: true, imap.CapStatusSize: true, imap.CapChildren: true,
}

// Has reports whether the server offers a capability: it announces it, or it is
// part of IMAP4rev2, and that is enabled or all that the server speaks. LITERAL+
// has what LITERAL- has, QRESYNC what CONDSTORE has, and UTF8=ONLY what
// UTF8=ACCEPT has. A capability with a value has none here: see CapabilityValue.
func (c *Client) Has(capability imap.Capability) bool {
	has := c.caps.has
	switch {
	case has[capability]:
		return true
	case capability == imap.CapLiteralMinus:
		return has[imap.CapLiteralPlus] || c.rev2()
	case capability == imap.CapCondStore:
		return has[imap.CapQResync]
	case capability == imap.CapUTF8Accept:
		return has[imap.CapUTF8Only]
	}
	return inRev2[capability] && c.rev2()
}

// rev2 reports whether the session is one of IMAP4rev2.
func (c *Client) rev2() bool {
	return c.enabled[imap.CapIMAP4rev2] || c.caps.has[imap.CapIMAP4rev2] && !c.caps.has[imap.CapIMAP4rev1]
}

// Capabilities is what the server announced last, in its order and in upper case.
func (c *Client) Capabilities() []imap.Capability { return slices.Clone(c.caps.list) }

// CapabilityValue is what stands behind "=" of a capability such as APPENDLIMIT;
// ok: it is announced, with a value or without.
func (c *Client) CapabilityValue(name imap.Capability) (value string, ok bool) {
	for _, w := range c.caps.list {
		if w == name {
			return "", true
		}
		if rest, found := strings.CutPrefix(string(w), string(name)+"="); found {
			return rest, true
		}
	}
	return "", false
}

// mechanisms are those of AUTHENTICATE.
func (c *Client) mechanisms() []string {
	var list []string
	for _, w := range c.caps.list {
		if m, ok := strings.CutPrefix(string(w), "AUTH="); ok && m != "" {
			list = append(list, m)
		}
	}
	return list
}

// capability asks for the capabilities.
func (c *Client) capability() error { return c.simple(c.command("CAPABILITY")) }

// ensureCapabilities asks where the server has not said since.
func (c *Client) ensureCapabilities(since uint64) error {
	if c.caps.known && c.caps.fresh > since {
		return nil
	}
	c.caps = capabilities{fresh: c.caps.fresh}
	return c.capability()
}

// Enabled reports whether an extension is enabled (RFC 5161).
func (c *Client) Enabled(capability imap.Capability) bool { return c.enabled[capability] }

// Enable switches extensions on, those that are not offered apart, and returns
// what the server says is enabled now (RFC 5161 §3.1).
func (c *Client) Enable(ctx context.Context, caps ...imap.Capability) (enabled []imap.Capability, err error) {
	err = c.run(ctx, func() (err error) {
		enabled, err = c.enable(caps)
		return err
	})
	return enabled, err
}

func (c *Client) enable(caps []imap.Capability) (enabled []imap.Capability, err error) {
	if !c.Has(imap.CapEnable) {
		return nil, nil
	}
	l := c.command("ENABLE")
	n := 0
	for _, e := range caps {
		if c.Has(e) && !c.enabled[e] {
			l.atom(string(e))
			n++
		}
	}
	if n > 0 {
		if err := c.simple(l); err != nil {
			return nil, err
		}
	}
	for _, e := range caps {
		if c.enabled[e] {
			enabled = append(enabled, e)
		}
	}
	return enabled, nil
}

// noteEnabled takes the words of ENABLED.
func (c *Client) noteEnabled(args string) {
	for _, w := range strings.Fields(args) {
		e := canonical(w)
		if !c.Has(e) {
			continue // it was not offered
		}
		c.enabled[e] = true
		if e == imap.CapQResync { // RFC 7162 §3.2.3
			c.enabled[imap.CapCondStore] = true
		}
	}
}
