package delivertest

import "time"

// Stage is a point at which a Host decides what to do.
type Stage string

// The stages of a connection.
const (
	Connect   Stage = "connect"   // a SYN has come; Drop refuses it, Hang leaves it without an answer
	Greeting  Stage = "greeting"  // the connection is open
	Hello     Stage = "hello"     // EHLO or HELO has come
	StartTLS  Stage = "starttls"  // STARTTLS has come
	Handshake Stage = "handshake" // 220 was sent to it
	Mail      Stage = "mail"
	Rcpt      Stage = "rcpt"
	Data      Stage = "data" // DATA or BDAT has come
	Body      Stage = "body" // the first octets of a body are awaited; only Drop and Hang, in the middle of it
	Dot       Stage = "dot"  // the body has come to its end
	Other     Stage = "other"
)

// Step is one such point of one connection.
type Step struct {
	Stage Stage
	Line  string // the command as received, without its line end
	Path  string // of MAIL and RCPT
	Conn  int    // how many attempts to connect the host had seen before this
	Mails int    // how many MAIL commands the connection had before this
}

// Answer is what a Host does at a Step. The zero value takes everything.
type Answer struct {
	// Reply replaces the usual reply; "" = the usual one. The code is in front,
	// the text may have several lines as the wire has them. 421 closes.
	Reply string

	// Delay passes before the reply.
	Delay time.Duration

	// Pace passes between two octets of the reply.
	Pace time.Duration

	// Lines go in front of the reply as its first lines.
	Lines int

	// Drop closes the connection in place of the reply. At Dot the host has the
	// message, and its client does not know (RFC 1047), unless Lose is set.
	Drop bool

	// Hang says nothing any more until the client closes; at Dot as Drop.
	Hang bool

	// Lose, with Drop or Hang at Dot: the host does not have the message.
	Lose bool
}

// Script says what a Host does. It may be called from several goroutines.
type Script func(Step) Answer

// At is a Script that answers at one stage.
func At(stage Stage, a Answer) Script {
	return func(s Step) Answer {
		if s.Stage == stage {
			return a
		}
		return Answer{}
	}
}

// To is a Script that answers RCPT for one forward-path.
func To(path string, a Answer) Script {
	return func(s Step) Answer {
		if s.Stage == Rcpt && s.Path == path {
			return a
		}
		return Answer{}
	}
}

// First is s for the first n attempts to connect.
func First(n int, s Script) Script {
	return func(step Step) Answer {
		if step.Conn < n {
			return s(step)
		}
		return Answer{}
	}
}

// Until is s up to a time.
func Until(t time.Time, s Script) Script {
	return func(step Step) Answer {
		if time.Now().Before(t) {
			return s(step)
		}
		return Answer{}
	}
}

// All asks scripts in turn; the first that has something to say counts.
func All(scripts ...Script) Script {
	return func(step Step) Answer {
		for _, s := range scripts {
			if a := s(step); a != (Answer{}) {
				return a
			}
		}
		return Answer{}
	}
}
