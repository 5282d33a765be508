package smtp

import (
	"strconv"
	"strings"
)

// MaxReplyLine is the longest reply line that is sent, in octets with its
// CRLF (RFC 5321 §4.5.3.1.5).
const MaxReplyLine = 512

// ParseEnhancedCode parses "class.subject.detail" (RFC 2034 §4, RFC 3463 §2):
// the class is 2, 4 or 5, the others have 1 to 3 digits.
func ParseEnhancedCode(s string) (EnhancedCode, error) {
	var c EnhancedCode
	rest := s
	for i, part := range []*uint16{&c.Class, &c.Subject, &c.Detail} {
		n := 0
		for n < len(rest) && n < 3 && '0' <= rest[n] && rest[n] <= '9' {
			*part = *part*10 + uint16(rest[n]-'0')
			n++
		}
		if n == 0 || n > 1 && rest[0] == '0' {
			return EnhancedCode{}, syntaxError("enhanced status code")
		}
		rest = rest[n:]
		if i < 2 {
			if rest == "" || rest[0] != '.' {
				return EnhancedCode{}, syntaxError("enhanced status code")
			}
			rest = rest[1:]
		}
	}
	if rest != "" || c.Class != 2 && c.Class != 4 && c.Class != 5 {
		return EnhancedCode{}, syntaxError("enhanced status code")
	}
	return c, nil
}

// AddLine adds one line of a reply, without its line end, as a client reads
// it (RFC 5321 §4.2.1). last reports that the reply is complete. All lines of
// a reply carry the same code. An enhanced status code whose class fits the
// code is taken out of the text into Enhanced.
//
//	Reply-line = *( Reply-code "-" [ textstring ] CRLF )
//	             Reply-code [ SP textstring ] CRLF
func (r *Reply) AddLine(line []byte) (last bool, err error) {
	if len(line) < 3 {
		return false, syntaxError("reply code")
	}
	code := 0
	for _, c := range line[:3] {
		if c < '0' || c > '9' {
			return false, syntaxError("reply code")
		}
		code = code*10 + int(c-'0')
	}
	if code < 200 || code > 599 || r.Code != 0 && r.Code != code {
		return false, syntaxError("reply code")
	}
	last = true
	text := ""
	if len(line) > 3 {
		if line[3] != ' ' && line[3] != '-' {
			return false, syntaxError("reply line")
		}
		last = line[3] == ' '
		text = string(line[4:])
	}
	r.Code = code
	word, rest, _ := strings.Cut(text, " ")
	if e, err := ParseEnhancedCode(word); err == nil && int(e.Class) == code/100 {
		if r.Enhanced.IsZero() && len(r.Lines) == 0 {
			r.Enhanced = e
		}
		if e == r.Enhanced {
			text = rest
		}
	}
	r.Lines = append(r.Lines, text)
	return last, nil
}

// ParseReply parses a whole reply; lines end in CRLF or LF.
func ParseReply(s string) (Reply, error) {
	var r Reply
	for line := range strings.Lines(s) {
		last, err := r.AddLine([]byte(strings.TrimRight(line, "\r\n")))
		if err != nil {
			return Reply{}, err
		}
		s = s[len(line):]
		if last {
			if s != "" {
				return Reply{}, syntaxError("text behind the reply")
			}
			return r, nil
		}
	}
	return Reply{}, syntaxError("reply ends too early")
}

// AppendReply appends r as it is sent. What would break the dialogue is
// mended: a code outside of 200..599 becomes 451, an octet that is neither
// printable ASCII nor a tab becomes "?", a CR or LF ends a line, lines are split at
// MaxReplyLine, an empty text gets one that fits the code. With enhanced,
// every line carries an enhanced status code whose class is the code's
// (RFC 2034 §4), x.0.0 where r has none; 3xx replies never have one.
func (r Reply) AppendReply(dst []byte, enhanced bool) []byte {
	code := r.Code
	if code < 200 || code > 599 {
		code = 451
	}
	var prefix [12]byte
	pre := prefix[:0]
	if class := code / 100; enhanced && class != 3 {
		e := r.Enhanced
		if e.IsZero() || e.Subject > 999 || e.Detail > 999 {
			e.Subject, e.Detail = 0, 0
		}
		pre = append(pre, byte('0'+class), '.')
		pre = append(strconv.AppendUint(pre, uint64(e.Subject), 10), '.')
		pre = append(strconv.AppendUint(pre, uint64(e.Detail), 10), ' ')
	}
	mark := len(dst)
	for _, l := range r.Lines {
		for more := true; more; {
			var line string
			line, l, more = cutReplyLine(l, MaxReplyLine-len("250 \r\n")-len(pre))
			dst, mark = appendReplyLine(dst, code, pre, line)
		}
	}
	if len(r.Lines) == 0 {
		dst, mark = appendReplyLine(dst, code, pre, defaultText(code))
	}
	dst[mark] = ' '
	return dst
}

// appendReplyLine appends a line as if another followed; mark is where its
// "-" stands.
func appendReplyLine(dst []byte, code int, pre []byte, line string) (_ []byte, mark int) {
	dst = strconv.AppendInt(dst, int64(code), 10)
	mark = len(dst)
	dst = append(append(dst, '-'), pre...)
	for i := 0; i < len(line); i++ {
		c := line[i]
		if c != '\t' && (c < ' ' || c > '~') {
			c = '?'
		}
		dst = append(dst, c)
	}
	return append(dst, '\r', '\n'), mark
}

// cutReplyLine cuts at a CR, LF or CRLF, or where the line is full.
func cutReplyLine(s string, limit int) (line, rest string, more bool) {
	end := strings.IndexAny(s, "\r\n")
	if end >= 0 && end <= limit {
		skip := 1
		if strings.HasPrefix(s[end:], "\r\n") {
			skip = 2
		}
		rest = s[end+skip:]
		return s[:end], rest, rest != ""
	}
	if len(s) <= limit {
		return s, "", false
	}
	if sp := strings.LastIndexByte(s[:limit], ' '); sp > limit/2 {
		return s[:sp], s[sp+1:], true
	}
	return s[:limit], s[limit:], true
}

func defaultText(code int) string {
	switch code / 100 {
	case 2:
		return "OK"
	case 3:
		return "Continue"
	case 4:
		return "Requested action not taken, try again later"
	}
	return "Requested action not taken"
}
