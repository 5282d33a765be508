package itest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// nasty is a message that is hard to read.
type nasty struct{ name, text string }

// dovecotDifference says why an item of a message is not what Dovecot sends.
type dovecotDifference struct {
	messages string // names, separated by commas; "" = all
	why      string
	is       func(item, theirs, ours string) bool // nil = every item
}

var dovecotDifferences = []dovecotDifference{
	{
		"", "NIL is the value for what does not exist (RFC 9051 §4.5), Dovecot sends an empty string",
		func(_, theirs, ours string) bool { return theirs == `""` && ours == "NIL" },
	},
	{
		"", "a part that is no multipart has no part 1 (RFC 9051 §6.4.5.1), Dovecot sends the part itself",
		func(item, _, ours string) bool { return (ours == "NIL" || ours == "0") && partOne.MatchString(item) },
	},
	{
		"", "a line end between header and boundary ends the last field as well, Dovecot leaves it to the boundary",
		func(item, theirs, ours string) bool {
			return isText(item) && ours == withLineEnd(theirs)
		},
	},
	{
		"", "the line end in front of a boundary belongs to the boundary (RFC 2046 §5.1.1), Dovecot adds it to a multipart",
		func(item, theirs, ours string) bool {
			return isText(item) && theirs == withLineEnd(ours)
		},
	},
	{
		"boundary prefix of another,three levels,same boundary twice,multipart in message",
		"BINARY is for parts without parts (RFC 9051 §6.4.5), others are sent as they stand, Dovecot decodes those within",
		func(item, _, _ string) bool { return strings.HasPrefix(item, "BINARY") },
	},
	{
		"two types", "the first transfer encoding counts, as in BODYSTRUCTURE",
		func(item, _, _ string) bool { return item == "status" || strings.HasPrefix(item, "BINARY") },
	},
	{
		"address backslash,address domain missing,address local missing,address name with at,address only comment," +
			"address semicolons,address text behind,address two angles,address two ats,address unclosed angle," +
			"address unclosed comment,address unclosed quote",
		"what cannot be read as an address is shown all the same, Dovecot drops it", nil,
	},
	{"address commas,sender and reply-to empty", "empty elements of a list are no addresses (RFC 5322 §4.4)", nil},
	{"boundary with spaces", "a boundary has no spaces at its end (RFC 2046 §5.1.1), Dovecot looks for them", nil},
	{"empty boundary", "a boundary has one character at least (RFC 2046 §5.1.1)", nil},
	{"long boundary", "Dovecot takes the close of a long boundary for another part", nil},
	{"message global", "message/global holds a message as message/rfc822 does (RFC 6532 §3.7, RFC 9051 §7.5.2)", nil},
	{"type rfc 2231", "a parameter of one piece keeps its name, Dovecot numbers it after the ones before", nil},
	{
		"disposition spaces,type bracket,type single quoted value,type spaces in value,type tspecials,type no value," +
			"type two semicolons,type unclosed quote,type missing semicolon",
		"parameters that are not quoted as they should be are read all the same", nil,
	},
	{
		"type empty,type garbage,type no subtype,type no subtype slash,type no type",
		"a media type that cannot be read is text/plain (RFC 2045 §5.2), Dovecot sends an empty one", nil,
	},
	{"encoding semicolon,encoding two words", "the first token of a transfer encoding counts", nil},
	{"empty entity fields,encoding empty,encoding quoted,encoding slash", "an encoding that cannot be read is 7bit (RFC 2045 §6.1), as BODYSTRUCTURE says, Dovecot does not decode", nil},
	{"encoded message", "a message has no encoding of its own (RFC 2045 §6.4)", nil},
	{"empty fields", "a field of white space is empty", nil},
}

func isText(item string) bool {
	return strings.HasPrefix(item, "BODY[") || strings.HasPrefix(item, "BINARY[")
}

// partOne is a section with a part 1 of something.
var partOne = regexp.MustCompile(`\.1[.\]]`)

// withLineEnd adds a line end to a quoted value.
func withLineEnd(value string) string { return strings.TrimSuffix(value, `"`) + `\r\n"` }

// dovecotDiffers is the reason of a difference; "" = there is none.
func dovecotDiffers(message, item, theirs, ours string) string {
	for _, d := range dovecotDifferences {
		if d.messages != "" && !slices.Contains(strings.Split(d.messages, ","), message) {
			continue
		}
		if d.is == nil || d.is(item, theirs, ours) {
			return d.why
		}
	}
	return ""
}

// nastyMessages are made here, so that each octet is known.
func nastyMessages() []nasty {
	var all []nasty
	add := func(name string, lines ...string) {
		all = append(all, nasty{name, strings.Join(lines, "\r\n")})
	}
	addressMessages(add)
	fieldMessages(add)
	typeMessages(add)
	multipartMessages(add)
	nestedMessages(add)
	slices.SortFunc(all, func(a, b nasty) int { return strings.Compare(a.name, b.name) })
	return all
}

func addressMessages(add func(string, ...string)) {
	for name, value := range addressFields {
		add("address "+name, "From: "+value, "To: "+value, "Subject: "+name, "", "body", "")
	}
	add("sender and reply-to empty", "From: a@b", "Sender:", "Reply-To: ,", "Cc: ", "", "x")
	add("two from fields", "From: a@b", "From: c@d", "To: e@f", "To: g@h", "", "x")
	add("many addresses", "From: a@b", "To: "+strings.Repeat("x@example.org, ", 500)+"last@example.org", "", "x")
	add("no from", "To: a@b", "Sender: s@t", "Reply-To: r@s", "", "x")
}

var addressFields = map[string]string{
	"plain":              "a@example.org",
	"name":               "Ann Other <a@example.org>",
	"quoted name":        `"Other, Ann \"the one\"" <a@example.org>`,
	"comment":            "a@example.org (Ann Other)",
	"nested comment":     `a@example.org (Ann (the \) one) Other)`,
	"comments inside":    "Ann (x) Other (y) <a(z)@example(w).org>",
	"group":              "Friends: a@b, Bea <c@d>;",
	"empty group":        "undisclosed-recipients:;",
	"group unclosed":     "Friends: a@b, c@d",
	"two groups":         "One: a@b;, Two: c@d;",
	"group and mailbox":  "One: a@b;, c@d",
	"route":              "<@a.example,@b.example:joe@c.example>",
	"8-bit name":         "J\xc3\xbcrgen <j@example.org>",
	"latin-1 name":       "J\xfcrgen <j@example.org>",
	"8-bit address":      "j\xc3\xbcrgen@ex\xc3\xa4mple.org",
	"encoded name":       "=?utf-8?q?J=C3=BCrgen?= <j@example.org>",
	"no domain":          "root",
	"no domain in angle": "Root <root>",
	"words":              "Joe User",
	"empty angle":        "<>",
	"name empty angle":   "Nobody <>",
	"at only":            "@",
	"local missing":      "<@example.org>",
	"domain missing":     "<joe@>",
	"quoted local":       `"joe user"@example.org`,
	"quoted at":          `"joe@home"@example.org`,
	"domain literal":     "joe@[127.0.0.1]",
	"two ats":            "a@b@c",
	"unclosed angle":     "Joe <joe@example.org",
	"unclosed quote":     `"Joe <joe@example.org>`,
	"unclosed comment":   "joe@example.org (Joe",
	"commas":             ", ,a@b,, c@d,",
	"semicolons":         "a@b; c@d",
	"spaces around at":   "joe @ example . org",
	"dots":               "j..r.@example.org",
	"dot name":           "J. R. User <j@example.org>",
	"folded":             "Ann\r\n Other\r\n\t<a@example.org>",
	"folded empty line":  "Ann\r\n \r\n <a@example.org>",
	"only comment":       "(nobody)",
	"backslash":          `a\b@example.org`,
	"name with at":       "a@b <c@d>",
	"text behind":        "<a@b> c",
	"tab":                "Ann\tOther\t<a@b>",
	"two angles":         "<a@b> <c@d>",
	"quoted and words":   `"A" b "C" <a@b>`,
	"adjacent quotes":    `"A""B" <a@b>`,
	"name without space": "Ann<a@b>",
	"long name":          strings.Repeat("n", 2000) + " <a@b>",
}

func fieldMessages(add func(string, ...string)) {
	add("only a body", "", "body")
	add("no blank line", "Subject: s", "From: a@b")
	add("header only", "Subject: s", "From: a@b", "", "")
	add("two subjects", "Subject: one", "Subject: two", "Date: d1", "Date: d2", "Message-ID: <1@a>", "Message-ID: <2@a>", "In-Reply-To: <3@a>", "In-Reply-To: <4@a>", "", "x")
	add("empty fields", "Subject:", "Date: ", "Message-ID:  ", "In-Reply-To:\t", "From:", "", "x")
	add("8-bit subject", "Subject: Gr\xc3\xbc\xc3\x9fe", "", "x")
	add("latin-1 subject", "Subject: Gr\xfc\xdfe", "", "x")
	add("quotes in subject", `Subject: a "b" \ c`, "Message-ID: <\"x\"@y>", "", "x")
	add("folded subject", "Subject: one", "  two", "\tthree", " ", " four", "", "x")
	add("wide subject", "Subject:  a  b\tc", "Date:  Mon,  1 Jan  2026\t00:00:00 +0000", "Message-ID: <a  b@c>", "In-Reply-To: <a@b>\r\n  <c@d>\r\n\t<e@f>", "From: Ann  Other\t <a@b>", "To: \"Ann  Other\" (x  y) <a@b>", "", "x")
	add("wide entity fields", "MIME-Version: 1.0", "Content-Type: text/plain; name=\"a  b\r\n  c\"", "Content-Description: a  b\r\n\t c", "Content-ID:  <a\r\n b>", "Content-Location: a\r\n b", "", "x")
	add("trailing space", "Subject: s  \t ", "X-Dup: a ", "X-Dup:b", "x-dup :c", "", "x")
	add("space before colon", "Subject : s", "From\t: a@b", "", "x")
	add("no colon", "Subject: s", "this is no field", "To: a@b", "", "x")
	add("folded first line", " folded from nothing", "Subject: s", "", "x")
	add("mbox from line", "From someone Mon Jan  1 00:00:00 2026", "Subject: s", "", "x")
	add("long field", "Subject: "+strings.Repeat("word ", 1000), "To: a@b", "", "x")
	add("many fields", strings.Repeat("X-Dup: y\r\n", 300)+"Subject: s", "", "x")
	add("colon first", ": nothing", "Subject: s", "", "x")
	add("field names of odd case", "SUBJECT: s", "fROM: a@b", "mime-VERSION: 1.0", "content-TYPE: TEXT/HTML; CHARSET=X", "", "<p>")
	add("message-id with comment", "Message-ID: (c) <a@b> trailing", "In-Reply-To: Your message of \"x\" <c@d>", "References: <a@b>", "", "x")
}

func typeMessages(add func(string, ...string)) {
	for name, value := range contentTypes {
		add("type "+name, "MIME-Version: 1.0", "Content-Type: "+value, "", "body", "two", "")
	}
	add("no mime-version", "Content-Type: text/html; charset=utf-8", "", "<p>")
	add("two types", "MIME-Version: 1.0", "Content-Type: text/html", "Content-Type: text/plain", "Content-Transfer-Encoding: base64", "Content-Transfer-Encoding: 8bit", "", "x")
	for name, value := range transferEncodings {
		add("encoding "+name, "MIME-Version: 1.0", "Content-Type: text/plain", "Content-Transfer-Encoding: "+value, "", "Ym9keQ==", "")
	}
	for name, value := range dispositions {
		add("disposition "+name, "MIME-Version: 1.0", "Content-Type: text/plain", "Content-Disposition: "+value, "", "x")
	}
	add("entity fields", "MIME-Version: 1.0", "Content-Type: image/png; name=a.png", "Content-ID: <id@x>", "Content-Description: some (text) here", "Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==", "Content-Language: de, en-GB ,(c) fr", "Content-Location: http://example.org/a b", "", "x")
	add("empty entity fields", "MIME-Version: 1.0", "Content-Type: image/png", "Content-ID:", "Content-Description: ", "Content-MD5:", "Content-Language:", "Content-Location:", "Content-Disposition:", "Content-Transfer-Encoding:", "", "x")
	add("8-bit entity fields", "MIME-Version: 1.0", "Content-Type: text/plain; name=\"\xc3\xa4\"", "Content-Description: \xe4", "Content-Disposition: attachment; filename=\xc3\xa4.txt", "", "x")
}

var contentTypes = map[string]string{
	"empty":               "",
	"no subtype":          "text",
	"no subtype slash":    "text/",
	"no type":             "/plain",
	"odd case":            "TeXt/PlAiN; ChArSeT=UtF-8",
	"spaces":              "text / plain ; charset = utf-8 ; format = flowed",
	"comments":            "text/plain (a comment); charset=utf-8 (another); (x) format=flowed",
	"quoted":              `text/plain; charset="us-ascii"; name="a \"b\" \\ c"`,
	"no value":            "text/plain; charset; format=flowed",
	"empty value":         `text/plain; charset=""; format=`,
	"missing semicolon":   "text/plain charset=utf-8",
	"two semicolons":      "text/plain;; charset=utf-8;",
	"duplicates":          "text/plain; charset=a; charset=b",
	"rfc 2231":            "text/plain; name*0*=utf-8''a%20; name*1=b; title*=us-ascii'en'x",
	"garbage":             "this is: no type",
	"tspecials":           "text/plain; name=a/b=c@d",
	"spaces in value":     "text/plain; name=a b c.txt; charset=x",
	"unclosed quote":      `text/plain; name="a b; charset=x`,
	"folded":              "text/plain;\r\n\tcharset=utf-8;\r\n name=\"a\r\n b\"",
	"application":         "application/octet-stream",
	"unknown":             "x-a/x-b; c=d",
	"message unknown":     "message/x-unknown",
	"external body":       "message/external-body; access-type=local-file",
	"partial":             "message/partial; id=x; number=1; total=2",
	"html":                "text/html",
	"single quoted value": "text/plain; name='a b'",
	"bracket":             "text/plain; name=[a]; x=<b>",
	"text long value":     "text/plain; name=" + strings.Repeat("n", 2000),
}

var transferEncodings = map[string]string{
	"base64":     "BASE64",
	"comment":    "(c) base64 (d)",
	"unknown":    "x-uuencode",
	"two words":  "base64 8bit",
	"semicolon":  "8bit;",
	"quoted":     `"base64"`,
	"empty":      "",
	"slash":      "7bit/8bit",
	"binary dot": "binary.",
}

var dispositions = map[string]string{
	"attachment":      "attachment; filename=a.txt",
	"odd case":        "ATTACHMENT; FileName=\"A B\"; Size=3",
	"only parameters": "; filename=x",
	"quoted":          `"attachment"; filename=x`,
	"comment":         "(c) inline (d); filename=x",
	"rfc 2231":        "attachment; filename*0=\"a\"; filename*1*=b%20",
	"spaces":          "attachment; filename=a b.txt",
}

func multipart(kind, boundary string, parts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nSubject: m\r\nContent-Type: multipart/%s; boundary=%q\r\n\r\npreamble\r\n", kind, boundary)
	for _, p := range parts {
		fmt.Fprintf(&b, "--%s\r\n%s\r\n", boundary, p)
	}
	fmt.Fprintf(&b, "--%s--\r\nepilogue\r\n", boundary)
	return b.String()
}

const htmlPart = "Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>a=3Db</p>"

func multipartMessages(add func(string, ...string)) {
	add("two parts", multipart("alternative", "b", "\r\nplain", htmlPart))
	add("no parts", multipart("mixed", "b"))
	add("one empty part", multipart("mixed", "b", ""))
	add("part without blank line", multipart("mixed", "b", "Content-Type: text/html", "\r\nx"))
	add("part without header", multipart("mixed", "b", "just text\r\nmore", "\r\nx"))
	add("no boundary parameter", "MIME-Version: 1.0", "Content-Type: multipart/mixed", "", "--b", "", "x", "--b--", "")
	add("empty boundary", "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary=""`, "", "--", "", "x", "----", "")
	add("never closed", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", "--b", "", "y", "")
	add("boundary never met", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "text", "")
	add("boundary with spaces", "MIME-Version: 1.0", `Content-Type: multipart/mixed; boundary="a b "`, "", "--a b", "", "x", "--a b  ", "", "y", "--a b--", "")
	add("boundary prefix of line", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", "--bc", "", "y", "--b--", "")
	add("boundary prefix of another", multipart("mixed", "b", "Content-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nin\r\n--bb--", "\r\nout"))
	add("nothing behind close", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "x", "--b--")
	add("close first", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b--", "", "--b", "", "x", "")
	add("text behind boundary", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b  ", "", "x", "--b--  ", "")
	add("header ends at boundary", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "--b", "", "x", "--b--", "")
	add("part header ends at boundary", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b", "Content-Type: text/html", "--b", "", "x", "--b--", "")
	add("digest", multipart("digest", "b", "\r\nSubject: in\r\n\r\ntext", "Content-Type: text/plain\r\n\r\nx"))
	add("related with parameters", "MIME-Version: 1.0", `Content-Type: multipart/related; type="text/html"; boundary=b; start="<a@b>"`, "Content-Disposition: inline", "Content-Language: de", "Content-Location: x", "", "--b", htmlPart, "--b--", "")
	add("encoded multipart", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "Content-Transfer-Encoding: base64", "", "--b", "", "x", "--b--", "")
	add("long boundary", multipart("mixed", strings.Repeat("x", 100), "\r\na", "\r\nb"))
	add("three levels", multipart("mixed", "a", "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n"+htmlPart+"\r\n--c\r\nContent-Type: image/gif\r\n\r\nGIF\r\n--c--\r\n--b--", "\r\nlast"))
	add("inner never closed", multipart("mixed", "a", "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none", "\r\nlast"))
	add("same boundary twice", multipart("mixed", "a", "Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\none\r\n--a--", "\r\nlast"))
}

func nestedMessages(add func(string, ...string)) {
	const inner = "From: in@x\r\nSubject: in\r\nMIME-Version: 1.0\r\n"
	add("message", "MIME-Version: 1.0", "Subject: out", "Content-Type: message/rfc822", "", inner+"Content-Type: text/html\r\n\r\n<p>\r\n")
	add("message in multipart", multipart("mixed", "b", "\r\nx", "Content-Type: message/rfc822; name=y\r\nContent-Disposition: attachment\r\n\r\n"+inner+"\r\ntext\r\n"))
	add("multipart in message", multipart("mixed", "b", "Content-Type: message/rfc822\r\n\r\n"+multipart("mixed", "c", "\r\none", htmlPart), "\r\nx"))
	add("message in message", "MIME-Version: 1.0", "Content-Type: message/rfc822", "", inner+"Content-Type: message/rfc822\r\n\r\nSubject: deep\r\n\r\ntext\r\n")
	add("empty message", multipart("mixed", "b", "Content-Type: message/rfc822\r\n\r\n", "\r\nx"))
	add("message without header", multipart("mixed", "b", "Content-Type: message/rfc822\r\n\r\n\r\ntext", "\r\nx"))
	add("message header only", multipart("mixed", "b", "Content-Type: message/rfc822\r\n\r\nSubject: s", "\r\nx"))
	add("encoded message", multipart("mixed", "b", "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogcw0KDQp4DQo=", "\r\nx"))
	add("message of odd case", multipart("mixed", "b", "Content-Type: Message/RFC822\r\n\r\n"+inner+"\r\ntext"))
	add("message global", multipart("mixed", "b", "Content-Type: message/global\r\n\r\n"+inner+"\r\ntext"))
}
