package saslmech

import (
	"bytes"
	"encoding/base64"
	"strconv"
)

// Bounds of SCRAM's messages in octets.
const (
	maxClientFirst = 6*MaxName + 2*maxNonce
	maxClientFinal = maxClientFirst*2 + 4*maxNonce
	maxNonce       = 512
	maxSalt        = 256
)

// scramFirst is a client-first-message (RFC 5802 §7).
type scramFirst struct {
	gs2Header
	username string
	nonce    string
}

// parseClientFirst reads
//
//	client-first-message = gs2-header username "," nonce ["," extensions]
//
// A mandatory extension in front of the user name is refused.
func parseClientFirst(b []byte) (m scramFirst, ok bool) {
	h, n, ok := consumeGS2Header(b)
	if !ok {
		return m, false
	}
	m.gs2Header = h
	a := attributes{rest: b[n:]}
	name := a.take('n')
	m.nonce = string(a.take('r'))
	a.extensions()
	if a.bad || !isNonce(m.nonce) {
		return m, false
	}
	m.username, ok = unescapeName(name)
	return m, ok
}

// scramFinal is a client-final-message.
type scramFinal struct {
	binding []byte // cbind-input
	nonce   string
	proof   []byte
}

// parseClientFinal reads
//
//	client-final-message = channel-binding "," nonce ["," extensions] "," proof
func parseClientFinal(b []byte) (m scramFinal, ok bool) {
	i := bytes.LastIndexByte(b, ',')
	if i < 0 {
		return m, false
	}
	last := attributes{rest: b[i+1:]}
	m.proof = last.takeBase64('p')
	a := attributes{rest: b[:i]}
	m.binding = a.takeBase64('c')
	m.nonce = string(a.take('r'))
	a.extensions()
	return m, !a.bad && !last.bad && last.end && isNonce(m.nonce)
}

// scramChallenge is a server-first-message.
type scramChallenge struct {
	nonce      string
	salt       []byte
	iterations int
}

// parseServerFirst reads
//
//	server-first-message = nonce "," salt "," iteration-count ["," extensions]
func parseServerFirst(b []byte) (m scramChallenge, ok bool) {
	a := attributes{rest: b}
	m.nonce = string(a.take('r'))
	m.salt = a.takeBase64('s')
	count := a.take('i')
	a.extensions()
	if a.bad || !isNonce(m.nonce) || len(m.salt) == 0 || len(m.salt) > maxSalt {
		return m, false
	}
	m.iterations, ok = parseIterations(string(count))
	return m, ok
}

// parseServerFinal reads server-final-message = (server-error / verifier)
// ["," extensions]. refused: it is an error.
func parseServerFinal(b []byte) (refused, ok bool) {
	a := attributes{rest: b}
	if bytes.HasPrefix(b, []byte("e=")) {
		a.take('e')
		return true, !a.bad
	}
	a.takeBase64('v')
	a.extensions()
	return false, !a.bad
}

// parseIterations reads posit-number of at most nine digits.
func parseIterations(s string) (int, bool) {
	if s == "" || s[0] < '1' || s[0] > '9' || len(s) > 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 32)
	return int(n), err == nil
}

// isNonce reports whether s is printable ASCII without a comma.
func isNonce(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == ',' {
			return false
		}
	}
	return s != "" && len(s) <= maxNonce
}

// attributes reads attr-val *("," attr-val) from the front. After the first
// fault everything is empty and bad is set.
type attributes struct {
	rest []byte
	end  bool // the last attribute was taken
	bad  bool
}

// take returns the value of the next attribute, which has to be name's.
func (a *attributes) take(name byte) []byte {
	got, value := a.next()
	if got != name {
		a.bad = true
	}
	if a.bad {
		return nil
	}
	return value
}

func (a *attributes) takeBase64(name byte) []byte {
	value := a.take(name)
	out := make([]byte, base64.StdEncoding.DecodedLen(len(value)))
	n, err := base64.StdEncoding.Strict().Decode(out, value)
	if err != nil || bytes.ContainsAny(value, "\r\n") {
		a.bad = true
		return nil
	}
	return out[:n]
}

// extensions passes over optional extensions. "m" is never optional.
func (a *attributes) extensions() {
	for !a.end && !a.bad {
		if name, _ := a.next(); name == 'm' {
			a.bad = true
		}
	}
}

// next reads attr-val = ALPHA "=" value; value = 1*value-char.
func (a *attributes) next() (name byte, value []byte) {
	if a.end || a.bad {
		a.bad = true
		return 0, nil
	}
	attribute, rest, more := bytes.Cut(a.rest, []byte{','})
	a.rest, a.end = rest, !more
	if len(attribute) < 3 || !isAlpha(attribute[:1]) || attribute[1] != '=' || !isText(attribute) {
		a.bad = true
		return 0, nil
	}
	return attribute[0], attribute[2:]
}
