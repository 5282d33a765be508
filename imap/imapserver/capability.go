package imapserver

import (
	"slices"
	"strings"

	"github.com/mailstead/mailstead/imap"
)

// baseCapabilities are those of every state.
var baseCapabilities = []imap.Capability{
	imap.CapIMAP4rev1, imap.CapLiteralPlus, imap.CapSASLIR, imap.CapID, imap.CapEnable,
}

// mailCapabilities are announced once they can be used.
var mailCapabilities = []imap.Capability{
	imap.CapIdle, imap.CapNamespace, imap.CapChildren, imap.CapUIDPlus, imap.CapUnselect,
	imap.CapESearch, imap.CapMove, imap.CapMultiAppend, imap.CapSpecialUse, imap.CapCreateSpecial,
}

// capabilities lists what works now, separated by spaces.
func (s *session) capabilities() string {
	list := slices.Clone(baseCapabilities)
	if s.state == notAuthenticated {
		if s.mayStartTLS() {
			list = append(list, imap.CapStartTLS)
		}
		if !s.mayLogin() {
			list = append(list, imap.CapLoginDisabled)
		}
		for _, m := range s.mechanisms() {
			list = append(list, imap.CapAuth(m))
		}
	} else {
		list = append(list, mailCapabilities...)
	}
	var b strings.Builder
	for i, c := range list {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(string(c))
	}
	return b.String()
}

func (s *session) mayStartTLS() bool {
	return s.srv.cfg.TLSConfig != nil && s.conn.peer.TLS == nil
}

// mayShowPassword reports whether a password may cross the connection.
func (s *session) mayShowPassword() bool {
	return s.conn.peer.TLS != nil || s.srv.cfg.AllowPlaintextAuth
}

func (s *session) mayLogin() bool { return s.srv.cfg.Auth.Login != nil && s.mayShowPassword() }

// mechanisms are what AUTHENTICATE takes now.
func (s *session) mechanisms() []string {
	auth := s.srv.cfg.Auth
	if auth.Mechanisms == nil {
		return nil
	}
	list := auth.Mechanisms(s.conn.peer)
	if s.mayShowPassword() {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), showsPassword)
}

// showsPassword reports whether a mechanism sends a secret that can be used
// again.
func showsPassword(mechanism string) bool {
	switch mechanism {
	case "PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER":
		return true
	}
	return false
}
