package pop3server

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Language is a language in which the texts behind +OK and -ERR can be had
// (LANG, RFC 6856 §3). English is always there, under the tag "en".
type Language struct {
	// Tag is the language tag (RFC 5646).
	Tag string
	// Name is what the language calls itself; "" = not told.
	Name string
	// Texts translates what Texts returns; "%d" stands for the same number.
	// What is not in it stays English. It is not changed later.
	Texts map[string]string
}

// text is an English text with "%d" for each number.
type text string

// What the server says.
const (
	textReady        text = "POP3 server ready"
	textBye          text = "Bye"
	textSendPass     text = "Send PASS"
	textMaildrop     text = "Maildrop has %d messages (%d octets)"
	textMessages     text = "%d messages"
	textOctets       text = "%d octets"
	textMarked       text = "Marked to be deleted"
	textNothing      text = "Nothing is marked"
	textCapabilities text = "Capability list follows"
	textMechanisms   text = "Mechanisms follow"
	textLanguages    text = "Language list follows"
	textLanguage     text = "Language changed"
	textUTF8         text = "UTF-8 mode"
	textBeginTLS     text = "Begin TLS negotiation"

	textUnknown      text = "Unknown command"
	textState        text = "Not in this state"
	textArguments    text = "Wrong number of arguments"
	textCharacters   text = "Malformed command"
	textTooLong      text = "Line too long"
	textNoMessage    text = "No such message"
	textGone         text = "Message was deleted by another client"
	textNotANumber   text = "The number of lines is not a number"
	textNeedsUTF8    text = "The message needs the UTF8 command"
	textNoLanguage   text = "No such language"
	textTLSFirst     text = "STLS is required first"
	textNoTLS        text = "Command not permitted when TLS active or not offered"
	textTLSAfterUTF8 text = "STLS comes before UTF8"
	textInjected     text = "Nothing may follow STLS"
	textNoUser       text = "USER is not offered"
	textNoAPOP       text = "APOP is not offered"
	textUserFirst    text = "USER comes first"
	textNotUTF8      text = "Neither ASCII nor UTF-8"
	textRejected     text = "Authentication failed"
	textTooMany      text = "Too many failed logins, try again later"
	textCancelled    text = "Authentication cancelled"
	textBase64       text = "Bad base64"
	textMechanism    text = "Mechanism not offered"
	textMalformed    text = "Malformed response"
	textInUse        text = "Another session has this maildrop"
	textSessions     text = "Too many sessions have this maildrop"
	textDelay        text = "Wait %d seconds before the next login"
	textNoMaildrop   text = "There is no such maildrop"
	textInternal     text = "Internal error, reference"
	textNotRemoved   text = "Some deleted messages were not removed"
	textShutdown     text = "Server shutting down"
	textBusy         text = "Too many connections, try again later"
	textForeign      text = "This is POP3"
	textTLSHere      text = "This port starts without TLS"
)

// texts are all of them.
var texts = [...]text{
	textReady, textBye, textSendPass, textMaildrop, textMessages, textOctets, textMarked, textNothing, textCapabilities, textMechanisms,
	textLanguages, textLanguage, textUTF8, textBeginTLS,
	textUnknown, textState, textArguments, textCharacters, textTooLong, textNoMessage, textGone, textNotANumber, textNeedsUTF8, textNoLanguage,
	textTLSFirst, textNoTLS, textTLSAfterUTF8, textInjected, textNoUser, textNoAPOP, textUserFirst, textNotUTF8, textRejected, textTooMany,
	textCancelled, textBase64, textMechanism, textMalformed, textInUse, textSessions, textDelay, textNoMaildrop, textInternal, textNotRemoved,
	textShutdown, textBusy, textForeign, textTLSHere,
}

// Texts returns the English texts that a Language can translate.
func Texts() []string {
	list := make([]string, len(texts))
	for i, t := range texts {
		list[i] = string(t)
	}
	return list
}

// english is the language that every session starts with.
var english = Language{Tag: "en", Name: "English"}

// maxText bounds a translation, so that an answer fits its line (RFC 2449 §4).
const maxText = 400

// fault says what is wrong with a language; "" = nothing.
func (l *Language) fault() string {
	printable := func(s string) bool {
		return utf8.ValidString(s) && len(s) <= maxText && strings.IndexFunc(s, unicode.IsControl) < 0
	}
	switch tag := strings.ReplaceAll(l.Tag, "-", ""); {
	case tag == "" || len(l.Tag) > 35 || strings.ContainsFunc(tag, func(r rune) bool { return !isAlnum(r) }):
		return "bad language tag"
	case !printable(l.Name):
		return "bad name of language " + l.Tag
	}
	for from, to := range l.Texts {
		if !printable(to) || strings.HasPrefix(to, "[") || strings.Count(from, "%d") != strings.Count(to, "%d") {
			return "bad text of language " + l.Tag
		}
	}
	return ""
}

func isAlnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// appendText adds t in a language to dst; numbers take the places of "%d".
func (l *Language) appendText(dst []byte, t text, numbers ...int64) []byte {
	s := string(t)
	if l != nil {
		if own, ok := l.Texts[s]; ok {
			s = own
		}
	}
	for _, n := range numbers {
		before, after, ok := strings.Cut(s, "%d")
		if !ok {
			break
		}
		dst = strconv.AppendInt(append(dst, before...), n, 10)
		s = after
	}
	return append(dst, s...)
}

// matches reports whether a basic language range matches the tag (RFC 4647
// §3.3.1).
func (l *Language) matches(lang string) bool {
	n := len(lang)
	return len(l.Tag) >= n && strings.EqualFold(l.Tag[:n], lang) && (len(l.Tag) == n || l.Tag[n] == '-')
}
