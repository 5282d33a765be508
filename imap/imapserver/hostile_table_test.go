package imapserver

import (
	"fmt"
	"strings"
)

// hostile is a command, or a message and a command that reads it, of those that
// have brought down IMAP servers or made them slow.
type hostile struct {
	name, in, want string
	message        string // number 3 of the mailbox; "" = there is none
}

// repeated is n numbered forms of a text, one after the other.
func repeated(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func hostileRanges(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ",%d:%d", 1+i%2, 2)
	}
	return b.String()[1:]
}

// hostileParts is a message of n parts with that header and body.
func hostileParts(n int, header, body string) string {
	return "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n"+header+"\r\n\r\n"+body+"\r\n", n) + "--b--\r\n"
}

// What is bad, and which tests send it. Names of rows are those of hostileCommands
// and hostileMessages, files are in testdata.
//
//	partial beyond 63 bits          "partial beyond 32 bits", "partial at the end of 32 bits", fetch_partial.txt
//	no parts, no boundary           "no boundary", "no parts", "no parts, closed", "an empty boundary"
//	LIST with 20 stars              "20 wildcards", "20 stars", "10,000 stars", "1,000 patterns"
//	10,000 NOTs, parentheses        "10,000 NOTs", "10,000 ORs", "20,000 parentheses", "5,000 keys", TestHostileSearch
//	modified UTF-7                  "modified UTF-7 without an end" and the four behind it
//	NUL and LF in strings           "NUL in a quoted string", "LF in a quoted string" and those around them
//	MIME 10,000 deep                "multiparts 10,000 deep", "messages 10,000 deep", mime.TestWalkIsLinear
//	many parts                      "100,000 parts", "10,000 parts with all fields", mime.TestWalkKeepsLittle
//	100,000 addresses               "100,000 addresses", "endless address fields", "a long name", mime.TestBounds
//	endless RFC 2231                "endless parameters", "endless encoded parameters", mime.TestEndlessContinuations
//	encoded words and charsets      "endless words" and those behind it, "10,000 charsets", mimetext.TestWordsAreCheap
//	ranges and huge numbers         "10,000 ranges", "10,001 ranges", "10,000 ranges of huge numbers", "all UIDs"
//	literals of 2^63                "literal of 2^63" and those around it, "CATENATE of 2^63-1"
//	literals that do not wait       "non-synchronizing literal above the cap", "too many collected octets"
//	DEFLATE                         TestDeflateBomb, TestDeflateGarbage, TestCompressBudget
//	plaintext behind STARTTLS       starttls_injection.txt; pop3server stls_injection.txt
//	AUTHENTICATE                    authenticate.txt, hostile_login.txt; pop3server auth_initial.txt
//	message number 0                "message number 0", "UID 0", "number 0 in SEARCH"; pop3server numbers.txt
//	cut at every octet              TestCut; pop3server.TestCutAtEveryOctet

// hostileCommands are judged by their answer and by the session that goes on.
var hostileCommands = []hostile{
	{name: "10,000 NOTs", in: "a SEARCH " + strings.Repeat("NOT ", 10_000) + "ALL", want: "a NO [LIMIT]"},
	{name: "1,900 NOTs", in: "a SEARCH " + strings.Repeat("NOT ", 1_900) + "ALL", want: "* SEARCH 1 2\r\na OK"},
	{name: "10,000 ORs", in: "a SEARCH " + strings.Repeat("OR ", 10_000) + "ALL", want: "a NO [LIMIT]"},
	{name: "20,000 parentheses", in: "a SEARCH " + strings.Repeat("(", 20_000) + "ALL", want: "a BAD nested too deeply"},
	{name: "64 parentheses", in: "a SEARCH " + strings.Repeat("(", 64) + "ALL" + strings.Repeat(")", 64), want: "* SEARCH 1 2\r\na OK"},
	{name: "5,000 keys", in: "a SEARCH" + strings.Repeat(" ALL", 5_000), want: "a NO [LIMIT]"},
	{name: "10,000 ranges", in: "a FETCH " + hostileRanges(10_000) + " UID", want: "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK"},
	{name: "10,001 ranges", in: "a FETCH " + hostileRanges(10_001) + " UID", want: "a BAD"},
	{name: "10,000 ranges of huge numbers", in: "a UID FETCH 1" + repeated(5_000, ",4%09d:*") + " UID", want: "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK"},
	{name: "all UIDs", in: "a UID FETCH 4294967295:1 UID", want: "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\na OK"},
	{name: "a number of 33 bits", in: "a FETCH 4294967296 UID", want: "a BAD"},
	{name: "a number of 10,000 digits", in: "a FETCH " + strings.Repeat("9", 10_000) + " UID", want: "a BAD"},
	{name: "message number 0", in: "a FETCH 0 UID", want: "a BAD"},
	{name: "message number 0 in a range", in: "a STORE 0:2 FLAGS ()", want: "a BAD"},
	{name: "UID 0", in: "a UID COPY 0 INBOX", want: "a BAD"},
	{name: "number 0 in SEARCH", in: "a SEARCH 0:*", want: "a BAD"},
	{name: "20 wildcards", in: "a LIST \"\" " + strings.Repeat("*a", 20), want: "a OK"},
	{name: "20 stars", in: "a LIST \"\" " + strings.Repeat("*", 20), want: "* LIST"},
	{name: "10,000 stars", in: "a LIST \"\" " + strings.Repeat("*%", 5_000), want: "* LIST"},
	{name: "partial beyond 32 bits", in: "a FETCH 1 BODY[]<1.9223372036854775807>", want: "a BAD"},
	{name: "partial at the end of 32 bits", in: "a FETCH 2 BODY.PEEK[]<4294967295.4294967295>", want: "* 2 FETCH (BODY[]<4294967295> {0}\r\n)\r\na OK"},
	{name: "literal of 2^63-1", in: "a LOGIN {9223372036854775807}", want: "a BAD Already logged in"},
	{name: "literal of 2^63", in: "a CREATE {9223372036854775808}", want: "a BAD"},
	{name: "message of 2^63", in: "a APPEND INBOX {9223372036854775808}", want: "a BAD"},
	{name: "message of 2^63-1", in: "a APPEND INBOX {9223372036854775807}", want: "a NO [TOOBIG]"},
	{name: "collected literal of 2^62", in: "a CREATE {4611686018427387904}", want: "a NO [TOOBIG]"},
	{name: "non-synchronizing literal above the cap", in: "a CREATE {300000+}\r\n" + strings.Repeat("x", 300_000), want: "a NO [TOOBIG]"},
	{name: "too many collected octets", in: "a LIST \"\" ({200000+}\r\n" + strings.Repeat("x", 200_000) + " {200000})", want: "a"},
	{name: "line too long", in: "a NOOP " + strings.Repeat("x", 70_000), want: "* BAD"},
	{name: "part numbers", in: "a FETCH 1 BODY.PEEK[" + strings.Repeat("1.", 10_000) + "1]", want: "* 1 FETCH (BODY[1.1."},
	{name: "1,001 sections", in: "a FETCH 1 (" + strings.Repeat("BODY.PEEK[] ", 1_000) + "BODY.PEEK[])", want: "a NO [LIMIT]"},
	{name: "101 sections to decode", in: "a FETCH 1 (" + strings.Repeat("BINARY.PEEK[1] ", 100) + "BINARY.SIZE[1])", want: "a NO [LIMIT]"},
	{name: "CATENATE of 2^63-1", in: "a APPEND INBOX CATENATE (URL ;UID=1 TEXT {9223372036854775807}", want: "a NO [TOOBIG]"},
	{name: "CATENATE of a long URL", in: "a APPEND INBOX CATENATE (URL /" + strings.Repeat("x", 20_000) + ")", want: "a NO [BADURL /xxx"},
	{name: "nested CATENATE", in: "a APPEND INBOX CATENATE (CATENATE (TEXT {1+}\r\nx))", want: "a BAD"},
	{name: "REPLACE of message 0", in: "a REPLACE 0 INBOX {1+}\r\nx", want: "a BAD"},
	{name: "REPLACE of everything", in: "a UID REPLACE 1:* INBOX {1+}\r\nx", want: "a BAD"},
	{name: "PARTIAL from 0", in: "a UID FETCH 1 UID (PARTIAL 0:1)", want: "a BAD"},
	{name: "1,000 patterns", in: "a LIST \"\" (" + strings.Repeat("x ", 1_000) + "x)", want: "a BAD"},
	{name: "NUL in a literal", in: "a CREATE {3+}\r\na\x00b", want: "a BAD"},
	{name: "NUL in a quoted string", in: "a CREATE \"a\x00b\"", want: "a BAD"},
	{name: "NUL in an atom", in: "a CREATE a\x00b", want: "a BAD"},
	{name: "LF in a quoted string", in: "a CREATE \"a\nb\"", want: "a BAD"},
	{name: "CR in a quoted string", in: "a CREATE \"a\rb\"", want: "a BAD"},
	{name: "CR in a name", in: "a CREATE {3+}\r\na\rb", want: "a NO [CANNOT]"},
	{name: "modified UTF-7 without an end", in: "a CREATE &AOQ", want: "a NO ["},
	{name: "modified UTF-7 of ASCII", in: "a CREATE &AGE-", want: "a NO ["},
	{name: "modified UTF-7 of half a surrogate", in: "a CREATE &2AA-", want: "a NO ["},
	{name: "modified UTF-7 of one octet", in: "a RENAME INBOX &AA-", want: "a NO ["},
	{name: "modified UTF-7 that is long", in: "a STATUS &" + strings.Repeat("A", 60_000) + "- (MESSAGES)", want: "a NO ["},
	{name: "300 keywords", in: "a STORE 1 FLAGS (" + keywords(300) + ")", want: "a NO [LIMIT]"},
	{name: "10,000 keywords", in: "a STORE 1 FLAGS (" + keywords(10_000) + ")", want: "a"},
	{name: "10,000 capabilities", in: "a ENABLE" + strings.Repeat(" QRESYNX", 7_000), want: "* ENABLED\r\na OK"},
	{name: "10,000 header fields", in: "a FETCH 1 BODY.PEEK[HEADER.FIELDS (" + strings.Repeat("a ", 10_000) + "a)]", want: ""},
	{name: "an endless tag", in: strings.Repeat("t", 60_000) + " NOOP", want: strings.Repeat("t", 60_000) + " OK"},
}

// hostileMessages are read in all the ways there are: each gives an OK.
var hostileMessages = []hostile{
	{name: "no boundary", message: "Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n"},
	{name: "no parts", message: "Content-Type: multipart/mixed; boundary=x\r\n\r\n"},
	{name: "no parts, closed", message: "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n"},
	{name: "an empty boundary", message: "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n----\r\n"},
	{name: "no header", message: "\r\n"},
	{name: "no line end", message: "Subject: x"},
	{name: "multiparts 10,000 deep", message: repeated(10_000, "Content-Type: multipart/mixed; boundary=b%[1]dx\r\n\r\n--b%[1]dx\r\n")},
	{name: "messages 10,000 deep", message: strings.Repeat("Content-Type: message/rfc822\r\n\r\n", 10_000)},
	{name: "100,000 parts", message: "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + strings.Repeat("--b\r\n\r\n", 100_000)},
	{name: "10,000 texts in base64", message: hostileParts(10_000, "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64", "eHl6")},
	{name: "10,000 texts in quoted-printable", message: hostileParts(10_000, "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: quoted-printable", "=C1")},
	{name: "10,000 texts in many charsets", message: hostileParts(2_500, "Content-Type: text/plain; charset=utf-16", "x\r\n--b\r\nContent-Type: text/plain; charset=big5\r\n\r\nx\r\n--b\r\nContent-Type: text/plain; charset=iso-2022-jp\r\n\r\nx\r\n--b\r\nContent-Type: text/plain; charset=gb18030\r\n\r\nx")},
	{name: "10,000 parts with all fields", message: hostileParts(10_000, "Content-Type: image/png; name*0=a; name*1=b\r\nContent-ID: <i@d>\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=b.png\r\nContent-Language: en, de", "x")},
	{name: "10,000 charsets", message: "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + repeated(10_000, "--b\r\nContent-Type: text/plain; charset=x-%d\r\n\r\nx\r\n")},
	{name: "parts with many parameters", message: hostileParts(2_000, "Content-Type: text/plain"+strings.Repeat(";a=", 200), "x")},
	{name: "parts with many languages", message: hostileParts(2_000, "Content-Language:"+strings.Repeat(" a", 200), "x")},
	{name: "messages with many senders", message: hostileParts(500, "Content-Type: message/rfc822\r\n\r\nFrom: "+strings.Repeat("a,", 1_000), "x")},
	{name: "100,000 addresses", message: "To: " + strings.Repeat("a@b.c,\r\n ", 100_000) + "d@e\r\n\r\n"},
	{name: "100,000 broken addresses", message: "From: " + strings.Repeat("<@(,\"", 100_000) + "\r\n\r\n"},
	{name: "endless parameters", message: "Content-Type: text/plain" + repeated(60_000, "; name*%d=x") + "\r\n\r\n"},
	{name: "endless encoded parameters", message: "Content-Type: text/plain" + repeated(50_000, "; name*%d*=%%41") + "\r\n\r\n"},
	{name: "endless words", message: "Subject: " + strings.Repeat("=?utf-8?q?x?= ", 60_000) + "\r\n\r\n"},
	{name: "endless words in a charset", message: "Subject: " + strings.Repeat("=?koi8-r?q?=C1?= ", 60_000) + "\r\n\r\n"},
	{name: "endless words in many charsets", message: "Subject: " + strings.Repeat("=?koi8-r?b?wQ==?= =?big5?q?x?= =?utf-16?q?x?= =?iso-2022-jp?q?x?= =?gb18030?q?x?= ", 10_000) + "\r\n\r\n"},
	{name: "endless words in unknown charsets", message: "Subject: " + repeated(50_000, "=?x-%d?q?x?= ") + "\r\n\r\n"},
	{name: "a word without end", message: "Subject: =?utf-8?q?" + strings.Repeat("x", 900_000) + "\r\n\r\n"},
	{name: "words that are none", message: "Subject: " + strings.Repeat("=?x?q?=?x?b?=", 60_000) + "\r\n\r\n"},
	{name: "a long name", message: "From: " + strings.Repeat("x", 900_000) + "\r\n\r\n"},
	{name: "endless address fields", message: strings.Repeat("To: a@b\r\n", 100_000) + "\r\n"},
	{name: "endless references", message: "References: " + repeated(60_000, "<%d@x> ") + "\r\n\r\n"},
	{name: "endless fields", message: strings.Repeat("a: b\r\n", 150_000) + "\r\n"},
	{name: "NULs", message: strings.Repeat("\x00", 500_000)},
}
