package imapserver

import (
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
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
		mechanisms := authn.Offered(s.auth(), s.authPeer())
		if !slices.Contains(mechanisms, sasl.Plain) {
			list = append(list, imap.CapLoginDisabled) // see authn.TakesPasswords
		}
		for _, m := range mechanisms {
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

// auth is who judges logins on this connection; nil = it needs TLS first.
func (s *session) auth() authn.Authenticator {
	if s.srv.cfg.RequireTLS && s.conn.peer.TLS == nil {
		return nil
	}
	return s.srv.cfg.Auth
}

// authPeer is the connection as an Authenticator sees it.
func (s *session) authPeer() *authn.Peer {
	p := &s.conn.peer
	return &authn.Peer{
		Protocol: authn.IMAP, ID: p.ConnID, Addr: p.Addr, Hostname: s.srv.cfg.Hostname,
		TLS: p.TLS, Certificate: s.conn.certificate, Secure: p.TLS != nil || s.srv.cfg.AllowPlaintextAuth,
	}
}
