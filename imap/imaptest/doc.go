// Package imaptest replays dialogues of IMAP that are written down as text, one
// rule or quirk in each file: as written, octet by octet, or over TLS.
//
//	# RFC 3501 §6.4.3: what the dialogue shows
//	# key: value, for the test that plays it
//	S~ \* OK \[CAPABILITY .*
//	C: a1 LOGIN alice secret
//	S~ a1 OK .*
//	R: "a2 APPEND INBOX {3+}\r\nabc\r\n"
//	S: a2 OK APPEND completed
//	2C: b1 NOOP
//	X:
//	S~ \* OK \[UIDVALIDITY (?P<v>\d+)\] .*
//	C: a3 SELECT INBOX (QRESYNC (${v} 1))
//
// C sends a line with CRLF, R a Go string as it stands. S wants exactly this
// line, S~ one that matches the regular expression as a whole. T starts TLS, X
// wants the connection to be closed. A digit in front names the connection;
// without one it is connection 1. A connection is opened when it is first named. A named
// group of S~ gives a value to ${name} in the lines behind.
package imaptest
