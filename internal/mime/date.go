package mime

import (
	"bytes"
	"time"
)

// ParseDate reads the Date field of a message (RFC 5322 §3.3, obsolete forms of
// §4.3, and the order of asctime). The result keeps its zone, which SENTON and
// the like look at; a zone that is unknown counts as UTC and a time that is
// unreadable as 00:00:00 (RFC 5256 §2.2). false: there is no valid date.
func ParseDate(value []byte) (time.Time, bool) {
	p := dateParser{zone: time.UTC}
	s := scanner{b: value}
	for n := 0; n < maxDateWords; n++ {
		w := dateWord(&s)
		if len(w) == 0 {
			break
		}
		p.word(w)
	}
	return p.result()
}

// maxDateWords bounds the words of a Date field that are looked at.
const maxDateWords = 16

// dateWord takes the next run of octets without space, comma and comments.
func dateWord(s *scanner) []byte {
	for s.accept(',') {
	}
	start := s.i
	for !s.done() && !isSpace(s.b[s.i]) && s.b[s.i] != ',' && s.b[s.i] != '(' {
		s.i++
	}
	return s.b[start:s.i]
}

// dateParser takes the words in any order that is not ambiguous: the first
// short number is the day, the next number the year.
type dateParser struct {
	day, month, year  int
	hour, minute, sec int
	hasYear, hasTime  bool
	zone              *time.Location
	hasZone           bool
}

func (p *dateParser) word(w []byte) {
	switch {
	case bytes.IndexByte(w, ':') > 0 && !p.hasTime:
		p.hasTime = true
		p.clock(w)
	case (w[0] == '+' || w[0] == '-') && p.hasTime && !p.hasZone:
		p.hasZone = true
		p.numericZone(w)
	case '0' <= w[0] && w[0] <= '9':
		p.number(w)
	case p.month == 0 && len(w) >= 3 && monthOf(w) > 0:
		p.month = monthOf(w)
	case p.hasTime && !p.hasZone:
		p.hasZone = true
		p.namedZone(w)
	}
}

func (p *dateParser) number(w []byte) {
	v := 0
	for i, c := range w {
		if c == '-' && i > 0 && p.month == 0 { // 17-Jul-1996
			p.day = v
			parts := bytes.SplitN(w[i+1:], []byte{'-'}, 2)
			if len(parts) == 2 && len(parts[0]) >= 3 {
				p.month = monthOf(parts[0])
				p.setYear(parts[1])
			}
			return
		}
		if c < '0' || c > '9' || v > 9999 {
			return
		}
		v = v*10 + int(c-'0')
	}
	if p.day == 0 && len(w) <= 2 {
		p.day = v
	} else if !p.hasYear {
		p.setYear(w)
	}
}

// setYear applies RFC 5322 §4.3 to years of two and three digits.
func (p *dateParser) setYear(w []byte) {
	v := 0
	for _, c := range w {
		if c < '0' || c > '9' || v > 9999 {
			return
		}
		v = v*10 + int(c-'0')
	}
	switch {
	case len(w) == 2 && v < 50:
		v += 2000
	case len(w) == 2 || len(w) == 3:
		v += 1900
	}
	p.year, p.hasYear = v, v <= 9999
}

// clock reads hour ":" minute [":" second]; an invalid time is 00:00:00.
func (p *dateParser) clock(w []byte) {
	var v [3]int
	parts := bytes.SplitN(w, []byte{':'}, 4)
	for i, s := range parts {
		if i == len(v) || len(s) == 0 || len(s) > 2 {
			return
		}
		for _, c := range s {
			if c < '0' || c > '9' {
				return
			}
			v[i] = v[i]*10 + int(c-'0')
		}
	}
	if v[0] < 24 && v[1] < 60 && v[2] < 61 {
		p.hour, p.minute, p.sec = v[0], v[1], min(v[2], 59)
	}
}

func (p *dateParser) numericZone(w []byte) {
	if len(w) != 5 {
		return
	}
	v := 0
	for _, c := range w[1:] {
		if c < '0' || c > '9' {
			return
		}
		v = v*10 + int(c-'0')
	}
	p.setZone(v/100, v%100, w[0] == '-')
}

func (p *dateParser) setZone(hours, minutes int, west bool) {
	seconds := hours*3600 + minutes*60
	if seconds == 0 || hours > 24 || minutes > 59 {
		return
	}
	if west {
		seconds = -seconds
	}
	p.zone = time.FixedZone("", seconds)
}

// namedZone reads obs-zone (RFC 5322 §4.3). Military zones were used wrongly
// and count as UTC, like names nobody knows.
func (p *dateParser) namedZone(w []byte) {
	if len(w) != 3 || w[2]|0x20 != 't' {
		return
	}
	const names = "ecmp" // eastern: 5 hours west of Greenwich, central 6, …
	for i := range len(names) {
		switch {
		case w[0]|0x20 != names[i]:
		case w[1]|0x20 == 's':
			p.setZone(5+i, 0, true)
		case w[1]|0x20 == 'd':
			p.setZone(4+i, 0, true)
		}
	}
}

// monthOf reads the name of a month, also a whole one; 0 = it is none.
func monthOf(w []byte) int {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	for i := 0; i < len(names); i += 3 {
		if len(w) >= 3 && equalFold(w[:3], names[i:i+3]) {
			return i/3 + 1
		}
	}
	return 0
}

func (p *dateParser) result() (time.Time, bool) {
	if p.day == 0 || p.month == 0 || !p.hasYear {
		return time.Time{}, false
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.minute, p.sec, 0, p.zone)
	return t, t.Day() == p.day
}
