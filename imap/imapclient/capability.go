package imapclient

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// setCapabilities takes the words of a CAPABILITY response or code.
func (c *Client) setCapabilities(words string) error {
	if n := len(strings.Fields(words)); n > c.limits.Caps {
		return fmt.Errorf("%w: %d capabilities", ErrLimit, n)
	}
	c.caps = imap.ParseCapabilities(words)
	c.told++
	return nil
}

// Has reports whether the server offers a capability: it announces it, or it is
// part of IMAP4rev2, and that is enabled or all that the server speaks. LITERAL+
// has what LITERAL- has, QRESYNC what CONDSTORE has, and UTF8=ONLY what
// UTF8=ACCEPT has. A capability with a value has none here: see CapabilityValue.
func (c *Client) Has(capability imap.Capability) bool {
	return c.caps.Has(capability, c.enabled[imap.CapIMAP4rev2])
}

// rev2 reports whether the session is one of IMAP4rev2.
func (c *Client) rev2() bool { return c.enabled[imap.CapIMAP4rev2] || c.caps.Rev2Only() }

// need is ErrNotOffered where a capability is missing.
func (c *Client) need(capability imap.Capability) error {
	if c.Has(capability) {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNotOffered, capability)
}

// Capabilities is what the server announced last, in its order and in upper case.
func (c *Client) Capabilities() []imap.Capability { return c.caps.List() }

// CapabilityValue is what stands behind "=" of a capability such as APPENDLIMIT;
// ok: it is announced, with a value or without.
func (c *Client) CapabilityValue(name imap.Capability) (value string, ok bool) {
	return c.caps.Value(name)
}

// capability asks for the capabilities; what was known counts no more.
func (c *Client) capability() error {
	c.caps = imap.CapabilitySet{}
	return c.simple(c.command("CAPABILITY"))
}

// ensureCapabilities asks where the server has not said since.
func (c *Client) ensureCapabilities(since uint64) error {
	if c.told > since {
		return nil
	}
	return c.capability()
}

// Enabled reports whether an extension is enabled (RFC 5161).
func (c *Client) Enabled(capability imap.Capability) bool { return c.enabled[capability] }

// Enable switches extensions on, those that are not offered apart, and returns
// what the server says is enabled now (RFC 5161 §3.1).
func (c *Client) Enable(ctx context.Context, caps ...imap.Capability) (enabled []imap.Capability, err error) {
	return asking(ctx, c, "", func() ([]imap.Capability, error) { return c.enable(caps) })
}

func (c *Client) enable(caps []imap.Capability) (enabled []imap.Capability, err error) {
	if !c.Has(imap.CapEnable) {
		return nil, nil
	}
	l := c.command("ENABLE")
	n := 0
	for _, e := range caps {
		if c.Has(e) && !c.enabled[e] {
			l.Atom(string(e))
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
func (c *Client) noteEnabled(words string) {
	for w := range strings.FieldsSeq(words) {
		e := imap.ParseCapability(w)
		if !c.Has(e) {
			continue // it was not offered
		}
		c.enabled[e] = true
		if e == imap.CapQResync { // RFC 7162 §3.2.3
			c.enabled[imap.CapCondStore] = true
		}
	}
}
