package imapwire

import (
	"bytes"
	"strconv"
	"unicode/utf8"
)

// maxQuoted is the longest string that is written as a quoted string; longer
// ones are literals, which need no scan at the other side.
const maxQuoted = 1024

// AppendString adds s as a string: quoted where s is short and holds printable
// US-ASCII (and TAB) only, else as a literal. NUL has no form in a string
// (RFC 9051 §4.3) and is left out.
func AppendString(dst, s []byte) []byte {
	if len(s) > maxQuoted {
		return AppendLiteral(dst, s)
	}
	for _, c := range s {
		if !is(c, quotedChar) && c != '"' && c != '\\' {
			return AppendLiteral(dst, s)
		}
	}
	return AppendQuoted(dst, s)
}

// AppendNString adds NIL for a nil s, else AppendString.
func AppendNString(dst, s []byte) []byte {
	if s == nil {
		return append(dst, "NIL"...)
	}
	return AppendString(dst, s)
}

// AppendAString adds s as an atom where that is possible and cannot be read as
// something else, else as AppendString does.
func AppendAString(dst, s []byte) []byte {
	if len(s) == 0 || len(s) > maxQuoted || run(s, astringChar) < len(s) {
		return AppendString(dst, s)
	}
	if len(s) == 3 && s[0]|0x20 == 'n' && s[1]|0x20 == 'i' && s[2]|0x20 == 'l' {
		return AppendQuoted(dst, s)
	}
	return append(dst, s...)
}

// AppendQuoted adds s in quotes with its quoted-specials escaped. The caller
// knows that s holds UTF-8 without NUL, CR and LF.
func AppendQuoted[S []byte | string](dst []byte, s S) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// AppendLiteral adds s as a literal "{n}" CRLF s, without its NULs.
func AppendLiteral(dst, s []byte) []byte {
	nuls := bytes.Count(s, []byte{0})
	dst = AppendLiteralHeader(dst, Literal{Size: int64(len(s) - nuls)})
	if nuls == 0 {
		return append(dst, s...)
	}
	for _, c := range s {
		if c != 0 {
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendLiteralHeader adds the announcement of a literal with its CRLF.
func AppendLiteralHeader(dst []byte, l Literal) []byte {
	if l.Binary {
		dst = append(dst, '~')
	}
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, l.Size, 10)
	if l.NonSync {
		dst = append(dst, '+')
	}
	return append(dst, "}\r\n"...)
}

// AppendFlags adds a flag-list: the flags in parentheses. Each flag must be
// one that ConsumeFlag takes.
func AppendFlags[S ~string](dst []byte, flags []S) []byte {
	dst = append(dst, '(')
	for i, f := range flags {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, f...)
	}
	return append(dst, ')')
}

// AppendMailbox adds a mailbox name given in UTF-8 as an astring: in modified
// UTF-7 (RFC 3501 §5.1.3), or, where asUTF8 is set (UTF8=ACCEPT of RFC 6855, or
// IMAP4rev2), as it stands in quotes.
func AppendMailbox(dst []byte, name string, asUTF8 bool) []byte {
	if !asUTF8 {
		return AppendAString(dst, AppendUTF7(nil, name))
	}
	b := []byte(name)
	switch {
	case len(b) > 0 && run(b, astringChar) == len(b):
		return AppendAString(dst, b)
	case quotable(b):
		return AppendQuoted(dst, b)
	}
	return AppendLiteral(dst, b)
}

// quotable reports whether s may stand in quotes where UTF-8 is allowed.
func quotable(s []byte) bool {
	return len(s) <= maxQuoted && utf8.Valid(s) && !bytes.ContainsAny(s, "\x00\r\n")
}
