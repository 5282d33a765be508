package smtp

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Priority is MT-PRIORITY= (RFC 6710 §7). The zero value is "not given",
// which means level 0.
type Priority struct {
	Level int8 // −9..9, higher = more urgent
	Given bool // the parameter stands in MAIL
}

// Range of the levels of MT-PRIORITY (RFC 6710 §5).
const (
	MinPriority = -9
	MaxPriority = 9
)

// IsZero reports whether MT-PRIORITY was not given.
func (p Priority) IsZero() bool { return p == Priority{} }

// ParsePriority parses the value of MT-PRIORITY=.
//
//	priority-value = (["-"] NZDIGIT) / "0" ; RFC 6710 §7
func ParsePriority(s string) (Priority, error) {
	digit := strings.TrimPrefix(s, "-")
	if len(digit) != 1 || digit[0] < '0' || digit[0] > '9' || s == "-0" {
		return Priority{}, syntaxError("MT-PRIORITY")
	}
	level := int8(digit[0] - '0')
	if len(s) == 2 {
		level = -level
	}
	return Priority{Level: level, Given: true}, nil
}

// ByMode is what becomes of a message that was not delivered in time
// (by-mode, RFC 2852).
type ByMode uint8

// The modes. The zero value is "not given".
const (
	ByDefault ByMode = iota
	ByNotify         // N: a delay is reported, delivery goes on
	ByReturn         // R: the message is returned
)

// DeliverBy is BY= (RFC 2852). The zero value is "not given".
type DeliverBy struct {
	// Seconds is the time that is left, counted from when MAIL was accepted:
	// −999999999..999999999, positive with ByReturn.
	Seconds int32

	// Mode says what happens then; ByDefault = BY was not given.
	Mode ByMode

	// Trace asks for a "relayed" report where the next hop does not know
	// DELIVERBY.
	Trace bool
}

// IsZero reports whether BY was not given.
func (d DeliverBy) IsZero() bool { return d.Mode == ByDefault }

// maxByTime is the largest by-time: 9 digits.
const maxByTime = 999_999_999

// ParseDeliverBy parses the value of BY=.
//
//	by-value = by-time ";" by-mode [by-trace] ; RFC 2852
//	by-time  = ["-" / "+"] 1*9DIGIT
//	by-mode  = "N" / "R"
//	by-trace = "T"
func ParseDeliverBy(s string) (DeliverBy, error) {
	time, mode, ok := strings.Cut(s, ";")
	digits := strings.TrimLeft(time, "+-")
	if !ok || len(time)-len(digits) > 1 {
		return DeliverBy{}, syntaxError("BY")
	}
	n, err := parseDigits(digits)
	if err != nil {
		return DeliverBy{}, syntaxError("BY")
	}
	if time[0] == '-' {
		n = -n
	}
	d := DeliverBy{Seconds: n}
	if len(mode) == 2 && lowerASCII(mode[1]) == 't' {
		d.Trace, mode = true, mode[:1]
	}
	switch mode {
	case "N", "n":
		d.Mode = ByNotify
	case "R", "r":
		d.Mode = ByReturn
	}
	if d.Mode == ByDefault || d.Mode == ByReturn && d.Seconds <= 0 {
		return DeliverBy{}, syntaxError("BY")
	}
	return d, nil
}

// parseDigits: 1*9DIGIT.
func parseDigits(s string) (int32, error) {
	if len(s) == 0 || len(s) > 9 {
		return 0, syntaxError("number")
	}
	n := int32(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, syntaxError("number")
		}
		n = n*10 + int32(s[i]-'0')
	}
	return n, nil
}

// String is the value as it stands behind BY=; "" for the zero value.
func (d DeliverBy) String() string {
	if d.IsZero() {
		return ""
	}
	s := strconv.Itoa(int(d.Seconds)) + ";N"
	if d.Mode == ByReturn {
		s = s[:len(s)-1] + "R"
	}
	if d.Trace {
		s += "T"
	}
	return s
}

// Deadline is the instant that is meant, where received is when MAIL was
// accepted; the zero Time for the zero value.
func (d DeliverBy) Deadline(received time.Time) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return received.Add(time.Duration(d.Seconds) * time.Second)
}

// At is the parameter for the next hop: the time that is left at now, whole
// seconds rounded down (RFC 2852). ok is false where the message may no
// longer be sent: the time of ByReturn is up.
func (d DeliverBy) At(received, now time.Time) (at DeliverBy, ok bool) {
	if d.IsZero() {
		return d, true
	}
	left := math.Floor(d.Deadline(received).Sub(now).Seconds())
	d.Seconds = int32(max(-maxByTime, min(left, maxByTime)))
	return d, d.Mode == ByNotify || d.Seconds > 0
}

// FutureRelease is HOLDFOR= or HOLDUNTIL= (RFC 4865): the message is held
// until then. The zero value is "not given".
type FutureRelease struct {
	// For is HOLDFOR= in seconds, 1..999999999, counted from when MAIL was
	// accepted; zero = not given.
	For int32

	// Until is HOLDUNTIL= in UTC; the zero Time = not given. It is ignored
	// where For is set.
	Until time.Time
}

// IsZero reports whether neither parameter was given.
func (f FutureRelease) IsZero() bool { return f.For == 0 && f.Until.IsZero() }

// Release is the instant that is meant, where received is when MAIL was
// accepted; the zero Time for the zero value.
func (f FutureRelease) Release(received time.Time) time.Time {
	if f.For > 0 {
		return received.Add(time.Duration(f.For) * time.Second)
	}
	return f.Until
}

// parseHoldFor: future-release-integer = %x31-39 *8DIGIT (RFC 4865).
func parseHoldFor(value []byte) (int32, error) {
	n, err := parseDigits(string(value))
	if err != nil || value[0] == '0' {
		return 0, syntaxError("HOLDFOR")
	}
	return n, nil
}

// parseHoldUntil: date-time of RFC 3339 §5.6.
func parseHoldUntil(value []byte) (time.Time, error) {
	var t time.Time
	if err := t.UnmarshalText([]byte(strings.ToUpper(string(value)))); err != nil {
		return time.Time{}, syntaxError("HOLDUNTIL")
	}
	t = t.UTC()
	if y := t.Year(); y < 1970 || y > 9999 {
		return time.Time{}, syntaxError("HOLDUNTIL")
	}
	return t, nil
}

func (f FutureRelease) appendParam(dst []byte) []byte {
	switch {
	case f.For > 0:
		return strconv.AppendInt(append(dst, " HOLDFOR="...), int64(f.For), 10)
	case !f.Until.IsZero():
		return f.Until.UTC().AppendFormat(append(dst, " HOLDUNTIL="...), time.RFC3339Nano)
	}
	return dst
}
