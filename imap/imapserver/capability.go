package imapserver

import (
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/authn"
	"github.com/mailstead/mailstead/imap"
)

// offer is a capability and when it works: for this user, on this store, in this
// state. Every capability has one row; nothing else decides what is announced,
// and ENABLE takes those of the rows that have a feature.
type offer struct {
	capability imap.Capability
	states     state
	when       func(*session) bool   // nil = always
	value      func(*session) string // what follows the name behind "="; nil = nothing
	enable     feature               // what ENABLE turns on (RFC 5161 §3.1); 0 = it cannot be enabled
}

// offers are in the order of their announcement.
var offers = []offer{
	{capability: imap.CapIMAP4rev1, states: anyState},
	{capability: imap.CapIMAP4rev2, states: anyState, enable: rev2},
	{capability: imap.CapLiteralPlus, states: anyState, when: (*session).literalPlus},
	{capability: imap.CapLiteralMinus, states: anyState, when: (*session).literalMinus},
	{capability: imap.CapSASLIR, states: anyState},
	{capability: imap.CapID, states: anyState},
	{capability: imap.CapEnable, states: anyState},
	{capability: imap.CapStartTLS, states: notAuthenticated, when: (*session).mayStartTLS},
	{capability: imap.CapLoginDisabled, states: notAuthenticated, when: (*session).noLogin},

	{capability: imap.CapCompress, states: loggedIn, when: (*session).mayCompress},
	{capability: imap.CapUnauthenticate, states: loggedIn},
	{capability: imap.CapIdle, states: loggedIn},
	{capability: imap.CapNamespace, states: loggedIn},
	{capability: imap.CapChildren, states: loggedIn},
	{capability: imap.CapListExtended, states: loggedIn},
	{capability: imap.CapListStatus, states: loggedIn},
	{capability: imap.CapStatusSize, states: loggedIn},
	{capability: imap.CapAppendLimit, states: loggedIn},
	{capability: imap.CapACL, states: loggedIn, when: (*session).shares},
	{capability: imap.CapRights, states: loggedIn, when: (*session).shares},
	{capability: imap.CapListMyRights, states: loggedIn, when: (*session).shares},
	{capability: imap.CapQuota, states: loggedIn},
	{capability: imap.CapQuotaStorage, states: loggedIn},
	{capability: imap.CapQuotaMessage, states: loggedIn},
	{capability: imap.CapQuotaMailbox, states: loggedIn},
	{capability: imap.CapQuotaSet, states: loggedIn, when: (*session).isQuotaAdmin},
	{capability: imap.CapMetadata, states: loggedIn, when: (*session).annotates, enable: metadata},
	{capability: imap.CapMetadataServer, states: loggedIn, when: (*session).annotates, enable: metadata},
	{capability: imap.CapListMetadata, states: loggedIn, when: (*session).annotates},
	{capability: imap.CapUIDPlus, states: loggedIn},
	{capability: imap.CapUnselect, states: loggedIn},
	{capability: imap.CapESearch, states: loggedIn},
	{capability: imap.CapSearchRes, states: loggedIn},
	{capability: imap.CapWithin, states: loggedIn},
	{capability: imap.CapPartial, states: loggedIn},
	{capability: imap.CapInProgress, states: loggedIn},
	{capability: imap.CapSort, states: loggedIn},
	{capability: imap.CapSortDisplay, states: loggedIn},
	{capability: imap.CapESort, states: loggedIn},
	{capability: imap.CapContextSearch, states: loggedIn},
	{capability: imap.CapContextSort, states: loggedIn},
	{capability: imap.CapThreadOrderedSubject, states: loggedIn},
	{capability: imap.CapThreadReferences, states: loggedIn},
	{capability: imap.CapThreadRefs, states: loggedIn},
	{capability: imap.CapMultiSearch, states: loggedIn},
	{capability: imap.CapSearchFuzzy, states: loggedIn, when: (*session).isFuzzy},
	{capability: imap.CapMove, states: loggedIn},
	{capability: imap.CapMultiAppend, states: loggedIn},
	{capability: imap.CapCondStore, states: loggedIn, enable: condstore},
	{capability: imap.CapQResync, states: loggedIn, enable: qresync},
	{capability: imap.CapBinary, states: loggedIn},
	{capability: imap.CapPreview, states: loggedIn},
	{capability: imap.CapSaveDate, states: loggedIn},
	{capability: imap.CapObjectID, states: loggedIn},
	{capability: imap.CapUTF8Accept, states: loggedIn, when: (*session).mayUTF8, enable: utf8Accept},
	{capability: imap.CapUTF8Only, states: loggedIn, when: (*session).mustUTF8, enable: utf8Accept},
	{capability: imap.CapCatenate, states: loggedIn},
	{capability: imap.CapReplace, states: loggedIn},
	{capability: imap.CapURLPartial, states: loggedIn},
	{capability: imap.CapURLAuth, states: loggedIn, when: (*session).authorizes},
	{capability: imap.CapURLAuthBinary, states: loggedIn, when: (*session).authorizes},
	{capability: imap.CapJMAPAccess, states: loggedIn, when: (*session).hasJMAP},
	{capability: imap.CapNotify, states: loggedIn},
	{capability: imap.CapUIDOnly, states: loggedIn, enable: uidOnly},
	{capability: imap.CapUIDBatches, states: loggedIn},
	{capability: imap.CapSaveLimit, states: loggedIn, when: (*session).limitsSaved, value: (*session).saveLimitValue},
	{capability: imap.CapMessageLimit, states: loggedIn, when: (*session).limitsAll, value: (*session).saveLimitValue},
	{capability: imap.CapSpecialUse, states: loggedIn},
	{capability: imap.CapCreateSpecial, states: loggedIn},
}

// works reports whether the capability can be used now.
func (o *offer) works(s *session) bool {
	return o.states&s.state != 0 && (o.when == nil || o.when(s)) && !s.hides(o.capability)
}

// hides reports whether the site keeps a capability from this client.
func (s *session) hides(c imap.Capability) bool {
	f := s.srv.cfg.Hide
	return f != nil && f(&Client{Peer: s.conn.peer, Account: s.id, ID: s.clientID}, c)
}

// offers reports whether the capability is announced now.
func (s *session) offers(c imap.Capability) bool {
	i := slices.IndexFunc(offers, func(o offer) bool { return o.capability == c })
	return i >= 0 && offers[i].works(s)
}

// capabilities lists what works now, separated by spaces.
func (s *session) capabilities() string {
	var list []string
	for i := range offers {
		if o := &offers[i]; o.works(s) {
			word := string(o.capability)
			if o.value != nil {
				word += "=" + o.value(s)
			}
			list = append(list, word)
		}
	}
	if s.state == notAuthenticated {
		for _, m := range authn.Offered(s.auth(), s.authPeer()) {
			if c := imap.CapAuth(m); !s.hides(c) {
				list = append(list, string(c))
			}
		}
	}
	return strings.Join(list, " ")
}

// noLogin reports whether LOGIN is refused; see authn.TakesPasswords.
func (s *session) noLogin() bool {
	return !slices.Contains(authn.Offered(s.auth(), s.authPeer()), sasl.Plain)
}

func (s *session) literalPlus() bool { return !s.srv.cfg.LiteralMinus }

func (s *session) literalMinus() bool { return s.srv.cfg.LiteralMinus }

// mayUTF8 and mustUTF8 choose which of the two is announced, never both (RFC
// 9755 §6).
func (s *session) mayUTF8() bool  { return !s.srv.cfg.UTF8Only }
func (s *session) mustUTF8() bool { return s.srv.cfg.UTF8Only }

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
		Protocol: authn.IMAP, ID: p.ConnID, Addr: p.Addr, Conn: *p, Hostname: s.srv.cfg.Hostname,
		TLS: p.TLS, Certificate: s.conn.certificate, Secure: p.TLS != nil || s.srv.cfg.AllowPlaintextAuth,
	}
}
