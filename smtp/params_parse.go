package smtp

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrRepeated: a parameter was given twice; the command is refused (501).
var ErrRepeated = errors.New("smtp: repeated parameter")

// Longest values of the DSN parameters, in octets as written (RFC 3461 §5.4).
const (
	MaxEnvelopeID        = 100
	MaxOriginalRecipient = 500
)

// ParseMailParams parses what stands behind the reverse-path of MAIL. Errors
// are ErrSyntax, ErrRepeated or ErrTooLong. Keywords that no field of
// MailParams takes are kept in Unknown, in order. Repeated blanks and blanks
// at the end are tolerated (RFC 5321 §4.1.1).
func ParseMailParams(b []byte) (MailParams, error) {
	var p MailParams
	r := paramReader{rest: b, known: mailKeywords[:]}
	for r.next() {
		if err := p.set(r.keyword, r.value); err != nil {
			return MailParams{}, err
		}
	}
	if r.err != nil {
		return MailParams{}, r.err
	}
	p.Unknown = r.unknown
	return p, nil
}

// ParseRcptParams parses what stands behind the forward-path of RCPT, by the
// rules of ParseMailParams.
func ParseRcptParams(b []byte) (RcptParams, error) {
	var p RcptParams
	r := paramReader{rest: b, known: rcptKeywords[:]}
	for r.next() {
		if err := p.set(r.keyword, r.value); err != nil {
			return RcptParams{}, err
		}
	}
	if r.err != nil {
		return RcptParams{}, r.err
	}
	p.Unknown = r.unknown
	return p, nil
}

var (
	mailKeywords = [...]string{
		"SIZE", "BODY", "SMTPUTF8", "RET", "ENVID", "AUTH", "REQUIRETLS",
		"MT-PRIORITY", "BY", "HOLDFOR", "HOLDUNTIL", "PRDR",
	}
	rcptKeywords = [...]string{"NOTIFY", "ORCPT"}
)

// paramReader walks a parameter list: next stops at each known keyword, the
// others are collected, and none may come twice.
type paramReader struct {
	rest  []byte
	known []string
	seen  uint // bit i: known[i] has been seen

	keyword string // as it stands in known
	value   []byte // nil: no "="
	unknown []Param
	err     error
}

func (r *paramReader) next() bool {
	for {
		kw, value, n, err := consumeParam(r.rest)
		if err != nil || kw == nil {
			r.err = err
			return false
		}
		r.rest = r.rest[n:]
		i := slices.IndexFunc(r.known, func(k string) bool {
			return len(k) == len(kw) && equalFoldASCII(k, string(kw))
		})
		if i < 0 {
			if r.unknown, r.err = appendUnknown(r.unknown, kw, value); r.err != nil {
				return false
			}
			continue
		}
		if r.seen&(1<<i) != 0 {
			r.err = repeated(kw)
			return false
		}
		r.seen |= 1 << i
		r.keyword, r.value = r.known[i], value
		return true
	}
}

func repeated(kw []byte) error { return fmt.Errorf("%w %s", ErrRepeated, kw) }

func appendUnknown(ps []Param, kw, value []byte) ([]Param, error) {
	for _, p := range ps {
		if equalFoldASCII(p.Keyword, string(kw)) {
			return nil, repeated(kw)
		}
	}
	return append(ps, Param{Keyword: string(kw), Value: string(value), HasEq: value != nil}), nil
}

// consumeParam takes blanks and one esmtp-param (RFC 5321 §4.1.2). kw is nil
// at the end, value is nil where no "=" was given.
//
//	esmtp-param   = esmtp-keyword ["=" esmtp-value]
//	esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
//	esmtp-value   = 1*(%d33-60 / %d62-126 / UTF8-non-ascii) ; RFC 6531 §3.3
func consumeParam(b []byte) (kw, value []byte, n int, err error) {
	start := 0
	for start < len(b) && b[start] == ' ' {
		start++
	}
	if start == len(b) {
		return nil, nil, start, nil
	}
	if start == 0 {
		return nil, nil, 0, syntaxError("no space in front of a parameter")
	}
	i := start
	for i < len(b) && b[i] < 0x80 && (isLetDig(b[i]) || b[i] == '-' && i > start) {
		i++
	}
	kw = b[start:i]
	if len(kw) == 0 {
		return nil, nil, 0, syntaxError("parameter keyword")
	}
	if i == len(b) || b[i] == ' ' {
		return kw, nil, i, nil
	}
	if b[i] != '=' {
		return nil, nil, 0, syntaxError("parameter keyword")
	}
	i++
	from := i
	for i < len(b) && b[i] > ' ' && b[i] != '=' && b[i] != 0x7f {
		i++
	}
	value = b[from:i]
	if len(value) == 0 || i < len(b) && b[i] != ' ' {
		return nil, nil, 0, syntaxError("value of parameter " + string(kw))
	}
	return kw, value, i, checkUTF8(value, true)
}

func (p *MailParams) set(keyword string, value []byte) (err error) {
	switch keyword {
	case "SIZE":
		p.Size, err = parseSize(value)
	case "BODY":
		p.Body, err = parseBodyType(value)
	case "SMTPUTF8":
		p.UTF8, err = true, noValue(value)
	case "RET":
		p.Return, err = parseReturn(value)
	case "ENVID":
		if len(value) > MaxEnvelopeID {
			return fmt.Errorf("%w: ENVID", ErrTooLong)
		}
		p.EnvelopeID, err = parsePrintableXtext(value)
	case "AUTH":
		p.Auth, err = parseAuthParam(value)
	case "REQUIRETLS":
		p.RequireTLS, err = true, noValue(value)
	case "PRDR":
		p.PRDR, err = true, noValue(value)
	default:
		return p.setTiming(keyword, value)
	}
	return err
}

// setTiming takes the parameters that say how urgent a message is, and when it
// may and may no longer be delivered.
func (p *MailParams) setTiming(keyword string, value []byte) (err error) {
	switch keyword {
	case "MT-PRIORITY":
		p.Priority, err = ParsePriority(string(value))
	case "BY":
		p.DeliverBy, err = ParseDeliverBy(string(value))
	case "HOLDFOR", "HOLDUNTIL":
		if !p.FutureRelease.IsZero() {
			return repeated([]byte(keyword))
		}
		if keyword == "HOLDFOR" {
			p.FutureRelease.For, err = parseHoldFor(value)
		} else {
			p.FutureRelease.Until, err = parseHoldUntil(value)
		}
	}
	return err
}

func (p *RcptParams) set(keyword string, value []byte) (err error) {
	switch keyword {
	case "NOTIFY":
		p.Notify, err = ParseNotify(string(value))
	case "ORCPT":
		p.Original, err = ParseOriginalRecipient(string(value))
	}
	return err
}

func noValue(value []byte) error {
	if value != nil {
		return syntaxError("parameter takes no value")
	}
	return nil
}

// parseSize: size-value = 1*20DIGIT (RFC 1870 §6.1). What int64 cannot hold
// counts as the largest value, which every limit refuses.
func parseSize(value []byte) (int64, error) {
	if len(value) == 0 || len(value) > 20 {
		return 0, syntaxError("SIZE")
	}
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, syntaxError("SIZE")
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

func parseBodyType(value []byte) (BodyType, error) {
	for t := Body7Bit; t <= BodyBinaryMIME; t++ {
		if equalFoldASCII(t.String(), string(value)) {
			return t, nil
		}
	}
	return 0, syntaxError("BODY")
}

func parseReturn(value []byte) (Return, error) {
	for r := ReturnFull; r <= ReturnHeaders; r++ {
		if equalFoldASCII(r.String(), string(value)) {
			return r, nil
		}
	}
	return 0, syntaxError("RET")
}

// parsePrintableXtext decodes xtext whose content is printable ASCII
// (RFC 3461 §4.2, §4.4), so that it can stand in a DSN field.
func parsePrintableXtext(value []byte) (string, error) {
	s, err := ParseXtext(string(value))
	if err != nil {
		return "", err
	}
	if s == "" {
		return "", syntaxError("empty xtext")
	}
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return "", syntaxError("control or 8-bit character in xtext")
		}
	}
	return s, nil
}

// parseAuthParam: AUTH= holds "<>" or a mailbox in xtext (RFC 4954 §5).
func parseAuthParam(value []byte) (string, error) {
	s, err := ParseXtext(string(value))
	if err != nil || s == "<>" {
		return s, err
	}
	if _, err := ParseMailbox(s, true); err != nil {
		return "", syntaxError("AUTH")
	}
	return s, nil
}

// ParseNotify parses the value of NOTIFY= (RFC 3461 §4.1): NEVER alone, or a
// list of SUCCESS, FAILURE and DELAY, each at most once.
func ParseNotify(s string) (Notify, error) {
	n := Notify(0)
	for word := range strings.SplitSeq(s, ",") {
		bit := Notify(0)
		for b := NotifyNever; b <= NotifyDelay; b <<= 1 {
			if equalFoldASCII(b.String(), word) {
				bit = b
			}
		}
		if bit == 0 || n&bit != 0 {
			return 0, syntaxError("NOTIFY")
		}
		n |= bit
	}
	if n&NotifyNever != 0 && n != NotifyNever {
		return 0, syntaxError("NOTIFY")
	}
	return n, nil
}

// ParseOriginalRecipient parses the value of ORCPT= (RFC 3461 §4.2):
// addr-type ";" xtext, or "utf-8;" with the encodings of RFC 6533 §3. UTF-8 in
// the xtext of an rfc822 address, which Postfix 3.7 sends, is read as the type
// "utf-8".
func ParseOriginalRecipient(s string) (OriginalRecipient, error) {
	if len(s) > MaxOriginalRecipient {
		return OriginalRecipient{}, fmt.Errorf("%w: ORCPT", ErrTooLong)
	}
	typ, enc, ok := strings.Cut(s, ";")
	if !ok || !isAtom(typ) {
		return OriginalRecipient{}, syntaxError("ORCPT")
	}
	var addr string
	var err error
	if equalFoldASCII(typ, "utf-8") {
		addr, err = ParseUnitext(enc)
	} else if addr, err = ParseXtext(enc); err == nil && !isASCII(addr) && equalFoldASCII(typ, "rfc822") {
		typ = "utf-8"
	}
	if err == nil {
		err = checkAddress(addr, equalFoldASCII(typ, "utf-8"))
	}
	if err != nil {
		return OriginalRecipient{}, err
	}
	return OriginalRecipient{Type: typ, Address: addr}, nil
}

// checkAddress refuses what cannot stand in a field of a DSN: controls, and
// with !utf8Allowed everything beyond ASCII.
func checkAddress(s string, utf8Allowed bool) error {
	if s == "" {
		return syntaxError("ORCPT")
	}
	for _, r := range s {
		if r < ' ' || r >= 0x7f && (r < 0xa0 || !utf8Allowed) || r == utf8.RuneError {
			return syntaxError("character in an address")
		}
	}
	return nil
}

func isAtom(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 || !isAtext(s[i]) {
			return false
		}
	}
	return s != ""
}

// AppendParams appends the parameters as they stand behind the reverse-path,
// each with a space in front. The caller leaves out what the peer does not
// take by clearing fields.
func (p MailParams) AppendParams(dst []byte) []byte {
	if p.Size > 0 {
		dst = strconv.AppendInt(append(dst, " SIZE="...), p.Size, 10)
	}
	if p.Body != BodyDefault {
		dst = append(append(dst, " BODY="...), p.Body.String()...)
	}
	if p.UTF8 {
		dst = append(dst, " SMTPUTF8"...)
	}
	if p.Return != ReturnDefault {
		dst = append(append(dst, " RET="...), p.Return.String()...)
	}
	if p.EnvelopeID != "" {
		dst = AppendXtext(append(dst, " ENVID="...), p.EnvelopeID)
	}
	if p.Auth != "" {
		dst = AppendXtext(append(dst, " AUTH="...), p.Auth)
	}
	if p.RequireTLS {
		dst = append(dst, " REQUIRETLS"...)
	}
	if p.Priority.Given {
		dst = strconv.AppendInt(append(dst, " MT-PRIORITY="...), int64(p.Priority.Level), 10)
	}
	if !p.DeliverBy.IsZero() {
		dst = append(append(dst, " BY="...), p.DeliverBy.String()...)
	}
	dst = p.FutureRelease.appendParam(dst)
	if p.PRDR {
		dst = append(dst, " PRDR"...)
	}
	return appendUnknownParams(dst, p.Unknown)
}

// AppendParams appends the parameters as they stand behind the forward-path,
// each with a space in front. utf8Allowed says that the transaction has
// SMTPUTF8, so that ORCPT may hold characters beyond ASCII as they are.
func (p RcptParams) AppendParams(dst []byte, utf8Allowed bool) []byte {
	if p.Notify != 0 {
		dst = append(append(dst, " NOTIFY="...), p.Notify.String()...)
	}
	if !p.Original.IsZero() {
		dst = append(append(dst, " ORCPT="...), p.Original.Type...)
		dst = append(dst, ';')
		if equalFoldASCII(p.Original.Type, "utf-8") {
			dst = AppendUnitext(dst, p.Original.Address, utf8Allowed)
		} else {
			dst = AppendXtext(dst, p.Original.Address)
		}
	}
	return appendUnknownParams(dst, p.Unknown)
}

func appendUnknownParams(dst []byte, ps []Param) []byte {
	for _, p := range ps {
		dst = append(append(dst, ' '), p.Keyword...)
		if p.HasEq {
			dst = append(append(dst, '='), p.Value...)
		}
	}
	return dst
}
