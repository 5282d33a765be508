package auth

import (
	"context"
	"io"

	"github.com/mailstead/mailstead/auth/authres"
	"github.com/mailstead/mailstead/auth/dkim"
	"github.com/mailstead/mailstead/auth/dnsx"
)

// Method is a way to find out who a message is from, beyond those that a Verifier
// has of its own. Its method may be
// called from any number of goroutines.
type Method interface {
	// Start begins with a message.
	Start(in Input) Evaluation
}

// Input is what a Method gets of a message.
type Input struct {
	Session Session
	// Resolver has the share of all methods of Verifier.Methods in the questions
	// that a message may cost.
	Resolver dnsx.Resolver
	// Message is for methods that sign as DKIM does: who joins it need not look
	// at what is written, as the header is kept and the body hashed once.
	Message *dkim.Message
}

// Evaluation is one message before a Method. It may be given up at any time.
type Evaluation interface {
	// Write takes the next octets of the message, header and body as they are.
	// It does not fail, and keeps nothing of p.
	io.Writer
	// Finish ends the message. It is called at most once, in a goroutine of its
	// own beside other methods, and returns soon after ctx ends, with what is
	// known by then.
	Finish(ctx context.Context) Finding
}

// Finding is what a Method found.
type Finding struct {
	// Statements stand in Authentication-Results; none = nothing was judged.
	Statements []authres.Statement
	// Vouched is the domain of someone whom the method is told to trust and who
	// says, in a way that nobody can forge, that the message passed where he got
	// it. It outweighs a failure of DMARC. "" = nobody.
	Vouched string
	// Value is what the method knows beyond that, of a type of its own.
	Value any
	// Err is why it knows no more, for the log.
	Err error
}
