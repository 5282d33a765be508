package pop3

import "strings"

// ResponseCode stands in brackets at the start of a -ERR text (RFC 2449 §8)
// and tells a client what its user cannot. As an error it is what errors.Is
// asks for: errors.Is(err, pop3.CodeInUse).
type ResponseCode string

// Error names the code.
func (c ResponseCode) Error() string { return "pop3: [" + string(c) + "]" }

// Within reports whether c is outer or one of its sub-codes: SYS/TEMP/X is
// within SYS/TEMP (RFC 2449 §8).
func (c ResponseCode) Within(outer ResponseCode) bool {
	rest, ok := strings.CutPrefix(string(c), string(outer))
	return ok && outer != "" && (rest == "" || rest[0] == '/')
}

// The response codes.
const (
	CodeInUse      ResponseCode = "IN-USE"      // the maildrop is locked (RFC 2449 §8.1.2)
	CodeLoginDelay ResponseCode = "LOGIN-DELAY" // too soon after the last login (§8.1.1)
	CodeSysTemp    ResponseCode = "SYS/TEMP"    // try again later (RFC 3206 §4)
	CodeSysPerm    ResponseCode = "SYS/PERM"    // somebody has to repair something (RFC 3206 §4)
	CodeAuth       ResponseCode = "AUTH"        // the credentials are wrong (RFC 3206 §5)
	CodeUTF8       ResponseCode = "UTF8"        // the message needs the UTF8 command (RFC 6856 §5)
)

// The capabilities of CAPA (RFC 2449 §6, and where it is said) that Mailstead
// knows.
const (
	CapTop          = "TOP"
	CapUser         = "USER"
	CapSASL         = "SASL"
	CapUIDL         = "UIDL"
	CapSTLS         = "STLS"
	CapPipelining   = "PIPELINING"
	CapRespCodes    = "RESP-CODES"
	CapAuthRespCode = "AUTH-RESP-CODE"
	CapExpire       = "EXPIRE"
	CapLoginDelay   = "LOGIN-DELAY"
	CapUTF8         = "UTF8" // RFC 6856 §2
	CapLang         = "LANG" // RFC 6856 §3
	CapImpl         = "IMPLEMENTATION"
)

// The lengths that RFC 1939 and RFC 2449 set, in octets.
const (
	MaxResponseLine = 512 // a response line with its CRLF (RFC 2449 §4)
	MaxCommandLine  = 255 // a command line with its CRLF (RFC 2449 §4)
	MaxUniqueID     = 70  // a unique-id (RFC 1939 §7)
)
