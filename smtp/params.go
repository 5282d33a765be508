package smtp

import "slices"

// Param is one ESMTP parameter (esmtp-param, RFC 5321 §4.1.2) as the peer
// wrote it: keyword case kept, value undecoded.
type Param struct {
	Keyword string
	Value   string // "" also where no "=" was given
	HasEq   bool   // an "=" stood behind the keyword
}

// MailParams are the parameters of MAIL FROM, parsed. The zero value: none.
type MailParams struct {
	// Size is the declared size in octets (SIZE=, RFC 1870 §6); zero = none.
	Size int64

	// Body is the declared body type (RFC 6152, RFC 3030); zero = 7BIT.
	Body BodyType

	// UTF8 reports SMTPUTF8 (RFC 6531 §3.4).
	UTF8 bool

	// Return says what a DSN returns (RET=, RFC 3461 §4.3); zero = not given.
	Return Return

	// EnvelopeID is ENVID= with its xtext decoded (RFC 3461 §4.4).
	EnvelopeID string

	// Auth is AUTH= with its xtext decoded (RFC 4954 §5); "" = not given,
	// "<>" = not authenticated or not trusted.
	Auth string

	// RequireTLS reports REQUIRETLS (RFC 8689 §2).
	RequireTLS bool

	// Priority is MT-PRIORITY= (RFC 6710 §7); zero = not given. A server may
	// have lowered it.
	Priority Priority

	// DeliverBy is BY= (RFC 2852); zero = not given.
	DeliverBy DeliverBy

	// FutureRelease is HOLDFOR= or HOLDUNTIL= (RFC 4865); zero = not given.
	FutureRelease FutureRelease

	// PRDR reports PRDR (draft-hall-prdr-00 §4.2): the peer takes one reply
	// for each recipient behind the body.
	PRDR bool

	// Unknown are the parameters that no field above takes, in order.
	Unknown []Param
}

// RcptParams are the parameters of RCPT TO, parsed. The zero value: none.
type RcptParams struct {
	// Notify says when to send a DSN (NOTIFY=, RFC 3461 §4.1); zero = not given.
	Notify Notify

	// Original is ORCPT= (RFC 3461 §4.2); zero = not given.
	Original OriginalRecipient

	// Unknown are the parameters that no field above takes, in order.
	Unknown []Param
}

// Clone returns a copy that shares no memory with p.
func (p MailParams) Clone() MailParams {
	p.Unknown = slices.Clone(p.Unknown)
	return p
}

// BodyType is the value of BODY= (RFC 6152 §3, RFC 3030 §3).
type BodyType uint8

// The body types. The zero value is "not given", which means 7BIT.
const (
	BodyDefault    BodyType = iota
	Body7Bit                // 7BIT
	Body8BitMIME            // 8BITMIME
	BodyBinaryMIME          // BINARYMIME; only with BDAT
)

// String is the value as it stands behind BODY=; "" for BodyDefault.
func (t BodyType) String() string {
	return [...]string{"", "7BIT", "8BITMIME", "BINARYMIME"}[t&3]
}

// Return is the value of RET= (RFC 3461 §4.3).
type Return uint8

// What a DSN returns of the message. The zero value is "not given".
const (
	ReturnDefault Return = iota
	ReturnFull           // FULL
	ReturnHeaders        // HDRS
)

// String is the value as it stands behind RET=; "" for ReturnDefault.
func (r Return) String() string {
	switch r {
	case ReturnFull:
		return "FULL"
	case ReturnHeaders:
		return "HDRS"
	}
	return ""
}

// Notify is the set of NOTIFY= (RFC 3461 §4.1). NotifyNever stands alone.
type Notify uint8

// When to send a DSN. The zero value is "not given": failures, and delays at
// the server's discretion.
const (
	NotifyNever Notify = 1 << iota
	NotifySuccess
	NotifyFailure
	NotifyDelay
)

// OnFailure reports whether a failed delivery is to be reported.
func (n Notify) OnFailure() bool { return n == 0 || n&NotifyFailure != 0 }

// String is the value as it stands behind NOTIFY=, "" for the zero value.
func (n Notify) String() string {
	s := ""
	for i, word := range [...]string{"NEVER", "SUCCESS", "FAILURE", "DELAY"} {
		if n&(1<<i) != 0 {
			if s != "" {
				s += ","
			}
			s += word
		}
	}
	return s
}

// OriginalRecipient is ORCPT= (RFC 3461 §4.2): the address type and the
// address, decoded from xtext (or utf-8-addr-xtext, RFC 6533 §3).
type OriginalRecipient struct {
	Type    string // "rfc822", "utf-8", ...; "" = not given
	Address string
}

// IsZero reports whether no ORCPT was given.
func (o OriginalRecipient) IsZero() bool { return o == OriginalRecipient{} }
