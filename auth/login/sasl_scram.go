package login

import (
	"context"
	"crypto/x509"
	"errors"
	"net/netip"

	"github.com/emersion/go-sasl"

	"github.com/mailstead/mailstead/auth/login/saslmech"
)

// bindings are the channel bindings of a connection.
func (a Attempt) bindings() []saslmech.Binding {
	return saslmech.Bindings(a.TLSState, a.ServerCertificate)
}

// clientCertificate is the client's certificate, nil where it showed none or
// none that was verified.
func (a Attempt) clientCertificate() *x509.Certificate {
	if a.TLSState == nil || len(a.TLSState.VerifiedChains) == 0 || len(a.TLSState.VerifiedChains[0]) == 0 {
		return nil
	}
	return a.TLSState.VerifiedChains[0][0]
}

// known is what the backend said about the user of an exchange whose mechanism
// does not show the password.
type known struct {
	user   string // canonical
	rec    Record
	reason string // why nothing can let him in; "" = a proof can
}

// know asks the backend about a user. Whoever is unknown, disabled or may only
// use app passwords has a reason and no error.
func (s *Service) know(ctx context.Context, username string, peer netip.Addr) (k known, err error) {
	if k.user, err = Canonical(username); err != nil {
		return k, ErrRejected
	}
	if s.Backend == nil {
		return k, temporary(errors.New("login: no backend"))
	}
	k.rec, err = s.Backend.Lookup(ctx, k.user)
	switch {
	case errors.Is(err, ErrNoUser):
		k.rec, k.reason, err = Record{}, "unknown user", nil
	case err != nil:
		return k, temporary(err)
	case k.rec.Disabled:
		k.reason = "disabled"
	case !k.rec.admits(peer):
		k.reason = "address not allowed"
	}
	return k, err
}

// identity is that of the user for himself.
func (k known) identity() Identity {
	id := Identity{Account: k.rec.Account, User: k.user}
	if id.Account == "" {
		id.Account = k.user
	}
	return id
}

// secret returns the text that a record keeps under a scheme, which is in upper
// case, "" where it keeps none.
func (r Record) secret(scheme string) string {
	for _, stored := range append([]string{r.Hash}, r.Secrets...) {
		if name, text, ok := cutScheme(stored); ok && name == scheme {
			return text
		}
	}
	return ""
}

// scram starts an exchange of SCRAM (RFC 5802).
func (x *exchange) scram(hash saslmech.SCRAMHash, plus bool) sasl.Server {
	var k known
	server := saslmech.SCRAMServer{
		Hash: hash, Plus: plus,
		Lookup: func(username string) (v saslmech.Verifier, err error) {
			if k, err = x.service.know(x.ctx, username, x.peer.Peer); err == nil {
				v, err = x.service.verifier(&k, hash)
			}
			if err != nil {
				a := x.peer
				a.Username = username
				x.service.log(x.ctx, a, "lookup", err)
			}
			return v, err
		},
		Judge: func(_, authzid string, proved func() bool) error { return x.proof(k, authzid, proved) },
	}
	if x.service.permits(hash.Mechanism()+"-PLUS", x.peer) == nil {
		server.Bindings = x.peer.bindings()
	}
	return server.New()
}

// verifier returns what the user's record keeps for SCRAM, or a decoy with the
// reason noted. The real one of a disabled user is shown, so that what is shown
// stays the same. A decoy is made for everybody and read like a real one, so
// that it takes no time of its own.
func (s *Service) verifier(k *known, hash saslmech.SCRAMHash) (saslmech.Verifier, error) {
	decoy, err := s.decoy.Verifier(hash, k.user)
	if err != nil {
		return decoy, temporary(err)
	}
	if k.rec.AppPasswordsOnly && k.reason == "" {
		k.reason = "app passwords only"
	}
	text, own := decoy.String(), k.rec.secret(hash.Mechanism())
	if own != "" {
		text = own
	} else if k.reason == "" {
		k.reason = "no secret for the mechanism"
	}
	v, err := saslmech.ParseVerifier(hash, text)
	switch {
	case err != nil && k.reason != "":
		return decoy, nil
	case err != nil:
		return v, temporary(ErrHash)
	}
	return v, nil
}

// cramMD5 starts an exchange of CRAM-MD5 (RFC 2195).
func (x *exchange) cramMD5() sasl.Server {
	server := saslmech.CRAMMD5Server{Judge: func(username string, proved func(saslmech.CRAMSecret) bool) error {
		a := x.peer
		a.Username = username
		k, err := x.service.know(x.ctx, username, x.peer.Peer)
		secret := saslmech.NewCRAMSecret("")
		if err == nil {
			secret, err = cramSecret(&k)
		}
		if err != nil {
			x.service.log(x.ctx, a, "lookup", err)
			return err
		}
		return x.proof(k, "", func() bool { return proved(secret) })
	}}
	if x.peer.TLSState != nil {
		server.Host = x.peer.TLSState.ServerName
	}
	return server.New()
}

// cramSecret returns what a record keeps for CRAM-MD5.
func cramSecret(k *known) (secret saslmech.CRAMSecret, err error) {
	text := k.rec.secret(saslmech.CRAMMD5)
	if text == "" || k.rec.AppPasswordsOnly {
		return saslmech.NewCRAMSecret(clearSecret(k)), nil
	}
	if secret, err = saslmech.ParseCRAMSecret(text); err != nil && k.reason == "" {
		return secret, temporary(ErrHash)
	}
	return secret, nil
}

// proof lets the guard through and judges a proof. One that nothing can make
// good is checked all the same.
func (x *exchange) proof(k known, authzid string, proved func() bool) error {
	a := x.peer
	a.Username = k.user
	id, err := x.service.guarded(x.ctx, a, func() (Identity, string, error) {
		ok := proved()
		switch {
		case k.reason != "":
			return Identity{}, k.reason, ErrRejected
		case !ok:
			return Identity{}, "wrong password", ErrRejected
		}
		return k.identity(), "", nil
	})
	return x.become(a, id, authzid, err)
}
