package login

import (
	"context"
	"net/netip"
	"time"
)

// Subject is something that failures are counted against: a user, an address or
// a network, or a pair of a user and an address.
type Subject struct {
	// User is canonical. Empty: an address or a network.
	User string
	// Prefix is masked and never of IPv4 in IPv6. The zero Prefix: a user.
	Prefix netip.Prefix
}

// String returns the subject for a log or a report.
func (s Subject) String() string {
	switch {
	case !s.Prefix.IsValid():
		return s.User
	case s.User == "":
		return s.Prefix.String()
	}
	return s.User + " from " + s.Prefix.String()
}

// Tally is what is known about a subject. The zero Tally is nothing.
type Tally struct {
	// Failures is how many distinct wrong passwords count now.
	Failures int
	// LastFailure is when the last of them came.
	LastFailure time.Time
	// Attempts is how many attempts of a user failed since he last logged in,
	// repetitions too. Zero for other subjects.
	Attempts int
	// LastAttempt is when the last of them came.
	LastAttempt time.Time
	// LastSuccess is when a user, or a pair, last logged in; Peer is from where.
	LastSuccess time.Time
	Peer        netip.Addr
}

// Digest stands for a wrong password of a user, under the key of a Throttle.
// The zero Digest stands for one that nobody saw.
type Digest [16]byte

// Failure is an attempt that was judged and refused.
type Failure struct {
	At time.Time
	// Since is how long back failures count: one whose LastFailure is earlier
	// counts for nothing.
	Since time.Time
	// Wrong is what was tried.
	Wrong Digest
	// Subjects count it, if Wrong is distinct: zero, or not seen since Since.
	Subjects []Subject
	// User counts the attempt in any case, in Attempts.
	User Subject
}

// Success is an attempt that was let in.
type Success struct {
	At, Since time.Time
	Peer      netip.Addr
	// Pair is remembered. Its failures end, and as many of each of the Others.
	Pair   Subject
	Others []Subject
	// User is who logged in: its Attempts end.
	User Subject
}

// GuardStore keeps the tallies of a Throttle. Several nodes may share one. Its
// methods may be called from any number of goroutines, and each change is seen
// wholly or not at all. What was counted may be lost with the process.
type GuardStore interface {
	// Tallies returns what is known about subjects, in their order.
	Tallies(ctx context.Context, subjects []Subject, since time.Time) ([]Tally, error)
	// Fail counts a failure, and reports whether it was a distinct one.
	Fail(ctx context.Context, f Failure) (distinct bool, err error)
	// Succeed remembers a success.
	Succeed(ctx context.Context, s Success) error
	// Worst returns up to n subjects that have the most failures, pairs left
	// out, with the worst first.
	Worst(ctx context.Context, since time.Time, n int) ([]Suspect, error)
}

// Suspect is a subject with its tally.
type Suspect struct {
	Subject Subject
	Tally   Tally
}
