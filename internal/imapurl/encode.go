package imapurl

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// String writes the URL.
func (u URL) String() string {
	var b strings.Builder
	switch u.Form {
	case Absolute:
		b.WriteString("imap://")
		if u.User != "" || u.Auth != "" {
			b.WriteString(encode(u.User, userChar))
			if u.Auth != "" {
				b.WriteString(";AUTH=" + encode(u.Auth, userChar))
			}
			b.WriteByte('@')
		}
		b.WriteString(u.Host + "/")
	case Path:
		b.WriteByte('/')
	}
	b.WriteString(encode(u.Mailbox, pathChar))
	if u.UIDValidity != 0 {
		b.WriteString(";UIDVALIDITY=" + strconv.FormatUint(uint64(u.UIDValidity), 10))
	}
	if u.UID == 0 {
		if u.Search != "" {
			b.WriteString("?" + encode(u.Search, pathChar))
		}
		return b.String()
	}
	u.message(&b)
	return b.String()
}

// message writes what follows the mailbox.
func (u *URL) message(b *strings.Builder) {
	b.WriteString("/;UID=" + strconv.FormatUint(uint64(u.UID), 10))
	if u.Section != "" {
		b.WriteString("/;SECTION=" + encode(u.Section, pathChar))
	}
	if u.Partial {
		b.WriteString("/;PARTIAL=" + strconv.FormatInt(u.Offset, 10))
		if u.Count > 0 {
			b.WriteString("." + strconv.FormatInt(u.Count, 10))
		}
	}
	if u.Access.Kind == NoAccess {
		return
	}
	if !u.Expire.IsZero() {
		b.WriteString(";EXPIRE=" + u.Expire.Format(time.RFC3339Nano))
	}
	b.WriteString(";URLAUTH=" + u.Access.String())
	if u.Mechanism != "" {
		b.WriteString(":" + u.Mechanism + ":" + u.Token)
	}
}

// class is a set of octets that stand for themselves.
type class func(c byte) bool

func isAlnum(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// userChar is achar of RFC 5092 §11 without the percent sign.
func userChar(c byte) bool { return isAlnum(c) || strings.IndexByte("-._~!$'()*+,&=", c) >= 0 }

// pathChar is bchar: achar and three more.
func pathChar(c byte) bool { return userChar(c) || c == ':' || c == '@' || c == '/' }

func isHost(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && strings.IndexByte("-._~:[]", s[i]) < 0 {
			return false
		}
	}
	return s != ""
}

const hexDigits = "0123456789ABCDEF"

// encode writes octets that are not of the class in hexadecimal.
func encode(s string, is class) string {
	var b strings.Builder
	for i := range len(s) {
		if is(s[i]) {
			b.WriteByte(s[i])
		} else {
			b.Write([]byte{'%', hexDigits[s[i]>>4], hexDigits[s[i]&15]})
		}
	}
	return b.String()
}

// decode reads what encode writes; ok is false for octets that have to be
// encoded and for what is not readable UTF-8 (I2).
func decode(s string, is class) (text string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '%' && is(s[i]):
			b.WriteByte(s[i])
		case s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b.WriteByte(byte(unhex(s[i+1])<<4 | unhex(s[i+2])))
			i += 2
		default:
			return "", false
		}
	}
	text = b.String()
	return text, utf8.ValidString(text) && strings.IndexFunc(text, unicode.IsControl) < 0
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
