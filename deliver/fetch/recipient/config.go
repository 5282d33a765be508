package recipient

import (
	"context"

	"github.com/mailstead/mailstead/deliver"
	"github.com/mailstead/mailstead/smtp"
)

// Config says how the recipients of one mailbox are found. Its fields are plain
// text where they can be, so that it can stand in a file.
type Config struct {
	// To are the recipients of a personal mailbox, whatever the header says;
	// nothing but Map is asked then. nil = a mailbox of several, by the fields below.
	To []string

	// Accept are the addresses that recipients are looked for among: domains
	// ("example.org"), the domains below one (".example.org"), and single addresses
	// ("firm@isp.example", also with a sub-address). Every address that is read
	// from a header has to be one of them, before it is mapped. Required, but for
	// To and for steps that read no address.
	Accept []string

	// Own are addresses of the mailbox itself, patterns as in Accept. A provider
	// that rewrites what it puts there says them of every message, so they are
	// passed over.
	Own []string

	// Steps are asked in this order, until one finds somebody; nil = DefaultSteps.
	Steps []Step

	// Field is the field of StepField. Its zero value leaves the step out.
	Field Field

	// Envelope are the fields of StepEnvelope, the first one that names somebody
	// counts; nil = DefaultEnvelope.
	Envelope []Field

	// Trust says which fields the provider wrote, and not the sender.
	Trust Trust

	// Strip are prefixes of local-parts that the provider adds, as
	// "mbox-user-" where qmail serves a virtual domain; in any case. They are
	// taken off what StepField and StepEnvelope read, the longest one once.
	Strip []string

	// Rules are those of StepRules.
	Rules []Rule

	// Address are the fields of StepAddress; nil = DefaultAddress.
	Address []string

	// Default takes what nobody else does. nil = such a message is quarantined.
	Default []string

	// Map says which address takes the place of another one: a *Table, or any
	// submission.Map. It is asked once for each recipient. nil = none.
	Map Map

	// Directory passes over who is deliver.Unknown, so that the next step is asked;
	// but StepAddress is not, where the envelope names somebody of Accept. The
	// recipients of To and Default are not looked up. nil = everybody is known.
	Directory deliver.Directory

	// Separator splits a sub-address from the user (RFC 5233 §4); "" = "+", "none"
	// switches it off.
	Separator string

	// MaxHeader is the octets of the header that are looked at; zero = 256 KiB. A
	// longer one is read as far as its last whole field, by the steps for which
	// what follows does not matter.
	MaxHeader int

	// MaxRecipients is how many recipients a message has at most: a step that finds
	// more finds nobody, rather than some of them. Zero = 1,000.
	MaxRecipients int
}

// Step is one way to find recipients.
type Step string

// The steps.
const (
	// StepField reads Config.Field, a field that the provider is known to write.
	StepField Step = "field"

	// StepEnvelope reads Config.Envelope above the sender's text.
	StepEnvelope Step = "envelope"

	// StepReceived reads "for" in the provider's Received fields, the oldest first.
	StepReceived Step = "received"

	// StepRules tries Config.Rules in order.
	StepRules Step = "rules"

	// StepAddress takes what Config.Accept has of To, Cc and so on; of Resent-To
	// and so on, where they name somebody.
	StepAddress Step = "address"

	// StepDefault is Config.Default.
	StepDefault Step = "default"

	// StepFixed is Config.To; it stands in results only.
	StepFixed Step = "fixed"
)

// DefaultSteps are the steps in the order of how much they can be believed.
func DefaultSteps() []Step {
	return []Step{StepField, StepEnvelope, StepReceived, StepRules, StepAddress, StepDefault}
}

// Field is where an envelope recipient stands in a header.
type Field struct {
	// Name is the field name, in any case.
	Name string

	// Index chooses among the fields of this name: 1 is the topmost, -1 the lowest;
	// one that is not there names nobody. Zero = from the topmost on, the first
	// that names somebody.
	Index int

	// All takes all fields of this name that stand between the same two Received,
	// for a provider that writes one for each recipient.
	All bool

	// Anywhere looks at the whole header, also at the sender's text. It is safe
	// only for a field that the provider writes into every message where Index
	// says, or removes from what it takes in.
	Anywhere bool
}

// DefaultEnvelope are the usual fields: Delivered-To, X-Original-To,
// X-Envelope-To, Envelope-To, X-RCPT-TO and Apparently-To.
func DefaultEnvelope() []Field {
	return []Field{
		{Name: "Delivered-To"},
		{Name: "X-Original-To"},
		{Name: "X-Envelope-To", All: true},
		{Name: "Envelope-To", All: true},
		{Name: "X-RCPT-TO", All: true},
		{Name: "Apparently-To", All: true},
	}
}

// DefaultAddress are To, Cc and Bcc, and their Resent forms.
func DefaultAddress() []string {
	return []string{"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"}
}

// Trust says where in a header the provider's text ends and the sender's begins:
// at a Received field, since every host puts its own above what it took. The zero
// value trusts the topmost one, which the provider wrote in any case.
type Trust struct {
	// Received is how many Received fields from the top are the provider's; zero =
	// 1, or those that Hosts finds. Negative = the provider strips what senders
	// could forge, or writes no Received: the whole header is trusted.
	Received int

	// Hosts are the hosts that take mail in for the provider, as their Received
	// fields have them behind "by": "mx1.isp.example", or ".isp.example" for all
	// below. The topmost field of one of them is the last that is trusted, at most
	// the field number Received; in a message without one nothing is. nil = Received
	// alone counts.
	Hosts []string
}

// Rule finds recipients by what stands in a field. Match, Regexp or both are
// set; To is required, unless the addresses that matched are the recipients.
type Rule struct {
	// Name stands in logs; "" = its number, from 1.
	Name string

	// Field is the name of the field that is looked at, in any case.
	Field string

	// Match is compared with the value in any case, "*" stands for any text and
	// "?" for one character: for fields of addresses with each address, for
	// List-Id with what stands in its angle brackets, else with the decoded text.
	Match string

	// Regexp is searched in the decoded text of the field (RE2; "(?i)" in front
	// ignores case). Captures are ${1} or ${name} in To.
	Regexp string

	// To are the recipients. An address whose domain is made of captures has to be
	// one of Config.Accept; one whose domain is written here goes anywhere. nil =
	// the addresses that matched, if Config.Accept has them.
	To []string

	// All takes all matches, in all fields of this name; else the first one counts.
	All bool

	// Continue asks the rules behind this one too, when it has found somebody.
	Continue bool

	// Trusted looks only at fields that the provider wrote (see Trust).
	Trusted bool
}

// Map says which address stands for another one. Any number of goroutines may
// use it.
type Map interface {
	// Map returns what takes the place of an address; ok false = nothing. An
	// error defers the message.
	Map(ctx context.Context, address smtp.Path) (to smtp.Path, ok bool, err error)
}

// Result is who gets a message, and why.
type Result struct {
	// Recipients are mapped, and each stands once. Empty: nobody; Reason says why.
	Recipients []smtp.ForwardPath

	// Step found them; "" = none did.
	Step Step

	// By is what decided within the step, in lower case: the name of a field, or
	// that of a rule behind "rule ". Otherwise it is the step.
	By string

	// Guessed says that they were read where all copies of a message have the same
	// text: not from its envelope.
	Guessed bool

	// Unknown are those that the Directory did not know, at most 10.
	Unknown []smtp.ForwardPath

	// Reason is why nobody was found, for whoever looks into the quarantine.
	Reason string
}
