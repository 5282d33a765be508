package mailsig

// Reason is why a signature does not pass, in words for people. "" = it passes.
type Reason string

// The reasons that are the same wherever there is a signature.
const (
	Syntax         Reason = "syntax error"
	Unsupported    Reason = "unknown version, algorithm or canonicalization"
	Surplus        Reason = "too many different body hashes"
	FromUnsigned   Reason = "From is not signed"
	HeaderTooLarge Reason = "header too large"
	OldAlgorithm   Reason = "rsa-sha1 is historic"
	Expired        Reason = "expired"
	FromFuture     Reason = "signed in the future"
	BodyMismatch   Reason = "body hash does not match"
	Mismatch       Reason = "signature does not match"
	KeyMissing     Reason = "no key"
	KeyRevoked     Reason = "key revoked"
	KeySyntax      Reason = "key record with a syntax error"
	KeyUnsuited    Reason = "key is not for this signature"
	KeyShort       Reason = "key too short"
	KeyLong        Reason = "key too long"
	KeyUnknown     Reason = "no answer for the key"
	KeyUnasked     Reason = "too many questions for keys"
)

// Temporary reports whether nobody knows now.
func (r Reason) Temporary() bool { return r == KeyUnknown || r == KeyUnasked }
