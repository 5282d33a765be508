package saslmech

import "strings"

// The names of the mechanisms, as servers announce them.
const (
	External        = "EXTERNAL"
	SCRAMSHA512Plus = "SCRAM-SHA-512-PLUS"
	SCRAMSHA256Plus = "SCRAM-SHA-256-PLUS"
	SCRAMSHA1Plus   = "SCRAM-SHA-1-PLUS"
	SCRAMSHA512     = "SCRAM-SHA-512"
	SCRAMSHA256     = "SCRAM-SHA-256"
	SCRAMSHA1       = "SCRAM-SHA-1"
	OAuthBearer     = "OAUTHBEARER"
	XOAuth2         = "XOAUTH2"
	Plain           = "PLAIN"
	Login           = "LOGIN"
	CRAMMD5         = "CRAM-MD5"
	Anonymous       = "ANONYMOUS"
)

// Names returns all mechanisms, best first: what binds to the channel, what
// shows no secret, what shows one.
func Names() []string {
	return []string{
		External,
		SCRAMSHA512Plus, SCRAMSHA256Plus, SCRAMSHA1Plus, SCRAMSHA512, SCRAMSHA256, SCRAMSHA1,
		OAuthBearer, XOAuth2, Plain, Login, CRAMMD5, Anonymous,
	}
}

// ShowsSecret reports whether whoever reads the exchange can log in afterwards:
// such a mechanism needs encryption.
func ShowsSecret(mechanism string) bool {
	switch mechanism {
	case OAuthBearer, XOAuth2, Plain, Login:
		return true
	}
	return false
}

// SCRAMOf splits the name of a SCRAM mechanism. ok is false for any other.
func SCRAMOf(mechanism string) (hash SCRAMHash, plus, ok bool) {
	name, plus := strings.CutSuffix(mechanism, "-PLUS")
	name, ok = strings.CutPrefix(name, "SCRAM-")
	hash = SCRAMHash(name)
	return hash, plus, ok && hash.size() > 0
}
