package bounce

import (
	"time"

	"github.com/mailstead/mailstead/deliver/arf"
	"github.com/mailstead/mailstead/smtp"
)

// Kind is what a message is.
type Kind uint8

// The kinds. The zero value: none of these, as far as is known.
const (
	Unknown     Kind = iota
	Failure          // at least one recipient failed
	Delay            // none failed, at least one is late
	Success          // delivered, relayed or expanded
	AutoReply        // a program's answer: out of office, received, and so on
	Challenge        // a program asks the sender to confirm that a person writes
	Disposition      // the recipient's program reports what was done with a message (RFC 8098)
	Feedback         // a feedback report; see Report.Feedback
)

// String is the kind in lower case.
func (k Kind) String() string {
	return [...]string{"unknown", "failure", "delay", "success", "auto-reply", "challenge", "disposition", "feedback"}[k&7]
}

// Action is what a report says of a recipient (RFC 3464 §2.3.3).
type Action uint8

// The actions. The zero value: it is not said.
const (
	NoAction Action = iota
	Failed
	Delayed
	Delivered
	Relayed
	Expanded
)

// String is the word of RFC 3464; "" for NoAction.
func (a Action) String() string {
	words := [...]string{"", "failed", "delayed", "delivered", "relayed", "expanded"}
	if int(a) < len(words) {
		return words[a]
	}
	return ""
}

// Class is what a report means for an address.
type Class uint8

// The classes.
const (
	Uncertain Class = iota // it cannot be said
	Hard                   // nobody takes mail under this address
	Soft                   // this message was not taken, now or at all; another one may be
	Good                   // mail arrives
)

// String is the class in lower case.
func (c Class) String() string { return [...]string{"uncertain", "hard", "soft", "good"}[c&3] }

// Cause is why a message was not delivered, as far as status and words say it.
type Cause uint8

// The causes.
const (
	NoCause    Cause = iota
	BadAddress       // there is no such mailbox
	BadDomain        // there is no such domain, or it takes no mail
	Disabled         // the mailbox exists, and takes no mail
	Full             // the mailbox is full
	TooLarge         // the message is
	Content          // a virus, a form that the host does not take
	Policy           // the host does not want mail from here, or thinks that it is spam
	Expired          // it was tried long enough
	Network          // no host could be reached
	Loop             // it went round
	System           // the host has a fault, or too little of something
)

// String is the cause in words.
func (c Cause) String() string {
	words := [...]string{"", "bad address", "bad domain", "disabled", "full", "too large", "content", "policy", "expired", "network", "loop", "system"}
	if int(c) < len(words) {
		return words[c]
	}
	return ""
}

// MaxRecipients is the number of recipients of a report that are read.
const MaxRecipients = 10_000

// Report is what a message says. Its texts are one line of UTF-8 each, as they
// were written by whoever wrote them: nothing in them is to be believed.
type Report struct {
	Kind Kind

	// Format names the form that was recognised: "rfc3464", "qmail", "exim",
	// "postfix", ...; "" = none.
	Format string

	// Recipients are those that the report speaks of, at most MaxRecipients.
	// Where Kind is Unknown, AutoReply or Challenge, there is one if the
	// reverse-path says for whom it was.
	Recipients []Recipient

	ReportingMTA string    // who reports, without its type
	EnvelopeID   string    // ENVID of the message
	Arrival      time.Time // of the message at ReportingMTA; zero = not said

	// Header is the header of the message that came back, up to 64 KiB;
	// nil = it did not. MessageID is from it, without brackets.
	Header    []byte
	MessageID string

	Feedback *arf.Report // of a Feedback
}

// Recipient is one recipient of a Report.
type Recipient struct {
	// Sent is the address to which the message was sent, as far as is known:
	// from the reverse-path, else the original, else the final recipient. Zero =
	// not known.
	Sent smtp.Path

	// Proven says that Sent is from the reverse-path.
	Proven bool

	Original, Final string // Original-Recipient, Final-Recipient, without type; "" = not said

	Action     Action
	Status     smtp.EnhancedCode // zero = not said
	Reply      int               // SMTP reply code; 0 = not said
	Diagnostic string            // text, up to 1,000 octets
	RemoteMTA  string            // whose text it is, without its type

	LastAttempt time.Time // zero = not said
	RetryUntil  time.Time // zero = not said

	Class Class
	Cause Cause
}

// Envelope is what the message with the report came in.
type Envelope struct {
	From smtp.ReversePath // zero = the null sender, as of most reports
	To   []smtp.Path      // nil = not known
}
