package imapwire

import (
	"io"
	"time"
)

// dateTimeLayout is date-time of RFC 9051 §9 for a day of two digits; a day of
// one digit is written with a space in front.
const dateTimeLayout = `"_2-Jan-2006 15:04:05 -0700"`

// ConsumeDateTime takes
//
//	date-time = DQUOTE date-day-fixed "-" date-month "-" date-year
//	            SP time SP zone DQUOTE
//
// The result keeps the zone that was written.
func ConsumeDateTime(b []byte) (time.Time, int, error) {
	const n = len(dateTimeLayout)
	if len(b) > 0 && b[0] != '"' {
		return time.Time{}, 0, syntax(0, "date-time expected")
	}
	if len(b) < n {
		for _, c := range b {
			if c == '\r' || c == '\n' {
				return time.Time{}, 0, syntax(0, "date-time expected")
			}
		}
		return time.Time{}, 0, io.ErrUnexpectedEOF
	}
	day, ok := fixedDay(b[1], b[2])
	t := b[:n]
	ok = ok && t[3] == '-' && t[7] == '-' && t[12] == ' ' && t[15] == ':' &&
		t[18] == ':' && t[21] == ' ' && (t[22] == '+' || t[22] == '-') && t[27] == '"'
	month, mok := month(t[4:7])
	year, yok := digits(t[8:12])
	hour, hok := digits(t[13:15])
	minute, iok := digits(t[16:18])
	second, sok := digits(t[19:21])
	zh, zok := digits(t[23:25])
	zm, wok := digits(t[25:27])
	ok = ok && mok && yok && hok && iok && sok && zok && wok &&
		hour < 24 && minute < 60 && second < 61 && zm < 60
	zone := (zh*60 + zm) * 60
	if t[22] == '-' {
		zone = -zone
	}
	d, valid := makeDate(year, month, day)
	if !ok || !valid {
		return time.Time{}, 0, syntax(0, "bad date-time")
	}
	loc := time.UTC
	if zone != 0 {
		loc = time.FixedZone("", zone)
	}
	y, mo, dd := d.Date()
	return time.Date(y, mo, dd, hour, minute, second, 0, loc), n, nil
}

// fixedDay reads date-day-fixed = (SP DIGIT) / 2DIGIT.
func fixedDay(a, b byte) (int, bool) {
	if a == ' ' {
		a = '0'
	}
	return digits([]byte{a, b})
}

// ConsumeDate takes
//
//	date      = date-text / DQUOTE date-text DQUOTE
//	date-text = date-day "-" date-month "-" date-year
//
// and returns that day at 00:00 UTC.
func ConsumeDate(b []byte) (time.Time, int, error) {
	if len(b) == 0 {
		return time.Time{}, 0, io.ErrUnexpectedEOF
	}
	quoted := b[0] == '"'
	n := 0
	if quoted {
		n = 1
	}
	dd := 0
	for n+dd < len(b) && dd < 2 && isDigit(b[n+dd]) {
		dd++
	}
	end := n + dd + len("-Jan-2006")
	if quoted {
		end++
	}
	if dd == 0 && n < len(b) {
		return time.Time{}, 0, syntax(n, "date expected")
	}
	if end > len(b) {
		return time.Time{}, 0, incompleteDate(b, n)
	}
	day, _ := digits(b[n : n+dd])
	rest := b[n+dd : end]
	m, mok := month(rest[1:4])
	y, yok := digits(rest[5:9])
	t, valid := makeDate(y, m, day)
	if rest[0] != '-' || rest[4] != '-' || !mok || !yok || !valid || quoted && rest[9] != '"' {
		return time.Time{}, 0, syntax(n, "bad date")
	}
	return t, end, nil
}

// incompleteDate tells a date that is cut off by the end of b from one that is
// cut off by the end of the line.
func incompleteDate(b []byte, pos int) error {
	for _, c := range b {
		if c == '\r' || c == '\n' {
			return syntax(pos, "bad date")
		}
	}
	return io.ErrUnexpectedEOF
}

func makeDate(y, m, d int) (time.Time, bool) {
	if m < 1 || d < 1 {
		return time.Time{}, false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == d
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func digits(b []byte) (v int, ok bool) {
	for _, c := range b {
		if !isDigit(c) {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, len(b) > 0
}

// month reads date-month in any case and returns 1..12.
func month(b []byte) (int, bool) {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	for i := 0; i < len(names); i += 3 {
		if b[0]|0x20 == names[i] && b[1]|0x20 == names[i+1] && b[2]|0x20 == names[i+2] {
			return i/3 + 1, true
		}
	}
	return 0, false
}

// AppendDateTime adds t as a date-time with its own zone (RFC 9051 §9). A year
// beyond 0..9999 has no form on the wire and is written as the nearest one
// that has.
func AppendDateTime(dst []byte, t time.Time) []byte {
	if _, offset := t.Zone(); offset%60 != 0 {
		t = t.UTC()
	}
	if y := t.Year(); y < 0 {
		t = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	} else if y > 9999 {
		t = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	}
	return t.AppendFormat(dst, dateTimeLayout)
}

// AppendDate adds t as a date-text, without quotes.
func AppendDate(dst []byte, t time.Time) []byte {
	return t.AppendFormat(dst, "2-Jan-2006")
}
