package imap

// Condition is the first word of a status response (RFC 9051 §7.1).
type Condition string

// The conditions.
const (
	ConditionOK      Condition = "OK"
	ConditionNo      Condition = "NO"
	ConditionBad     Condition = "BAD"
	ConditionBye     Condition = "BYE"
	ConditionPreAuth Condition = "PREAUTH"
)

// StatusResponse is what a server says about a command, or about itself (RFC
// 9051 §7.1).
type StatusResponse struct {
	Condition Condition

	// Code is in upper case; "" = none. Args is what follows it within the
	// brackets, as it was sent, without the space between.
	Code Code
	Args string

	// Text is for people: UTF-8 without control characters.
	Text string
}

// String is the response in one line.
func (r StatusResponse) String() string {
	s := string(r.Condition)
	if r.Code != "" {
		s += " [" + string(r.Code)
		if r.Args != "" {
			s += " " + r.Args
		}
		s += "]"
	}
	if r.Text != "" {
		s += " " + r.Text
	}
	return s
}

// CopyUID is what COPYUID says (RFC 4315 §3). The i-th UID of Source became the
// i-th of Dest.
type CopyUID struct {
	UIDValidity UIDValidity // of the destination; 0 = the server did not say
	Source      NumSet
	Dest        NumSet
}

// AppendUID is what APPENDUID says (RFC 4315 §3): the UIDs that messages got,
// in the order in which they were sent.
type AppendUID struct {
	UIDValidity UIDValidity // 0 = the server did not say
	UIDs        NumSet
}
