package queue

import (
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// MaxRecipients is the greatest number of recipients in one Job.
const MaxRecipients = 100

// Job is one message on its way to one destination: the message by reference,
// and up to MaxRecipients recipients that share a next hop. The recipients of
// one message that go elsewhere are other Jobs with the same Message.
type Job struct {
	// ID names the job for ever; never empty, see smtp.NewID.
	ID string

	// Message is the Mail.ID under which the message was accepted; it stands
	// in logs, the Received field and the 250 reply.
	Message string

	// Destination is the next-hop name of Router.Key.
	Destination string

	// Kind says what the job is where it is not mail on its way: the name of the
	// package or part that put it and, behind a colon, what that needs to deliver
	// it, as in "webhook:audit". Its router knows it by that, wherever an operator
	// sends it: no Edit changes the Kind. "" = mail.
	Kind string

	// Once is Put's idempotency key: a Storage that has seen it does not put
	// the job again. "" = none.
	Once string

	ReversePath smtp.ReversePath
	Params      smtp.MailParams
	Recipients  []Recipient

	// Identity is the account that submitted the message; "" = none.
	Identity string

	// Received is the peer's side of acceptance: what a DSN and a Received
	// field say about where the message came from.
	Peer PeerInfo

	Blob   blob.Ref // the body as it was accepted; "" = none, all of it is in Prefix: small messages with the null sender
	Size   int64    // octets of the blob
	Key    []byte   // wrapped data key of an encrypted blob; nil = plain
	Prefix []byte   // trace fields in front of the blob, newest first

	Created  time.Time // accepted
	Due      time.Time // not to be attempted before
	Expires  time.Time // after this a deferral is a failure; zero = the runner's schedule decides
	Attempts int       // finished attempts
	Priority int       // −9..9 (RFC 6710 §4); zero = normal

	// Hold is why the job is held; "" = it is not. A held job is not due.
	Hold string

	// Crashes is how many attempts in a row ended without an outcome, see
	// Crashed; an attempt with an outcome makes it zero.
	Crashes int

	// Bounce is why an operator gives the job up: its recipients fail with a
	// reply of this text, without an attempt. "" = none.
	Bounce string

	// Last is what the latest attempt met, for the operator; text of at most
	// 512 octets.
	Last string

	// Entries are written in the commit that puts the job, and only if it does:
	// not for a job whose Once is known. They are no part of the job then.
	Entries []Entry
}

// Recipient is one recipient of a Job that is not finished yet.
type Recipient struct {
	smtp.Recipient

	// Delayed reports that a delay DSN was sent (RFC 3461 §6.2).
	Delayed bool
}

// PeerInfo is what a job keeps of the smtp.Peer.
type PeerInfo struct {
	Addr     string // address of the client; "" = local
	Hello    string
	Protocol string
}

// State is the outcome for one recipient of one attempt.
type State uint8

// The outcomes. Unknown is treated as Deferred, but reported as its own: the
// connection was lost after the final dot, so a duplicate may follow
// (RFC 1047).
const (
	Deferred State = iota
	Delivered
	Failed
	Unknown
)

// String is the state in lower case.
func (s State) String() string {
	return [...]string{"deferred", "delivered", "failed", "unknown"}[s&3]
}

// Result is the outcome for one recipient, by its place in Job.Recipients.
type Result struct {
	State State

	// Reply is what the next hop said, or a reply made here (codes 4xx and
	// 5xx); it goes into DSNs. Zero = none.
	Reply smtp.Reply

	// NextHop names who said it ("mx.example.net"); "" = this host.
	NextHop string

	// Passed are the wishes that a next hop which Delivered has taken over.
	Passed smtp.Wishes

	// Expanded is how many recipients have taken the place of this one, which
	// was an alias or a list, or was moved; zero = none, it went where it was
	// addressed to.
	Expanded int

	// Expired: it Failed because the time of the job was over. Set by the Runner.
	Expired bool

	// Delay reports, for a Deferred or Unknown recipient, that a delay DSN is
	// due and none was sent yet. Set by the Runner for its Reporter.
	Delay bool

	// Err is the cause, for logs; never part of a DSN.
	Err error
}

// Token proves a lease. It is void when another one was given out for the
// job, or when it has expired.
type Token struct {
	Job   string
	Fence uint64
}

// Lease is a job that the holder may attempt until Expires.
type Lease struct {
	Token   Token
	Job     *Job
	Expires time.Time
}

// Outcome settles one lease.
type Outcome struct {
	Token Token

	// Remaining are the recipients that are left; none = the job is
	// finished and forgotten.
	Remaining []Recipient

	// Due is when Remaining are attempted again.
	Due time.Time

	// Attempted counts this as an attempt; false gives the job back as it
	// was (shutdown).
	Attempted bool

	// Crashed counts this as an attempt that ended in a panic.
	Crashed bool

	// Hold sets Job.Hold; "" = not held.
	Hold string

	// Last sets Job.Last.
	Last string

	// Next are jobs that come into being in the same commit: DSNs, reroutes.
	Next []Job

	// Entries are written in the same commit.
	Entries []Entry
}
