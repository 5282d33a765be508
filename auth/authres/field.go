package authres

// Name is the name of the header field.
const Name = "Authentication-Results"

// Result is what a method found (RFC 8601 §2.7).
type Result string

// The results. Which of them a method has is the method's.
const (
	None      Result = "none"      // there was nothing to judge
	Pass      Result = "pass"      // the claim holds
	Fail      Result = "fail"      // it does not
	SoftFail  Result = "softfail"  // it probably does not (SPF)
	Neutral   Result = "neutral"   // nothing can be said, as with a syntax error
	Policy    Result = "policy"    // it may hold, and is not acceptable here
	TempError Result = "temperror" // nobody knows now
	PermError Result = "permerror" // it cannot be judged, now or later
)

// Method is what judged.
type Method string

// The methods (RFC 8601 §2.7, RFC 7489 §11.1, RFC 8617 §10.1, RFC 8904).
const (
	ARC   Method = "arc"
	Auth  Method = "auth"
	DKIM  Method = "dkim"
	DMARC Method = "dmarc"
	DNSWL Method = "dnswl"
	IPRev Method = "iprev"
	SPF   Method = "spf"
)

// Property is what was judged: Type.Name=Value, such as smtp.mailfrom (RFC 8601
// §2.3).
type Property struct {
	Type  string // smtp, header, body, policy, or an extension
	Name  string
	Value string
}

// Statement is what one method found (the resinfo of RFC 8601 §2.2).
type Statement struct {
	Method     Method
	Version    int // of the method; 0 = not said, which means 1
	Result     Result
	Reason     string // for people; "" = none
	Properties []Property
}

// Value is the value of a property; "" = there is none.
func (s *Statement) Value(typ, name string) string {
	for _, p := range s.Properties {
		if p.Type == typ && p.Name == name {
			return p.Value
		}
	}
	return ""
}

// Field is an Authentication-Results header field.
type Field struct {
	// ID is the authserv-id: the host or domain that vouches (RFC 8601 §2.5).
	ID string
	// Version is that of the field; 0 = not said, which means 1.
	Version int
	// Statements may be empty: "none", nothing was judged.
	Statements []Statement
	// UTF8 lets Append write UTF-8 as it is, which only messages with
	// internationalised headers may have (RFC 6532). Parse does not set it.
	UTF8 bool
}
