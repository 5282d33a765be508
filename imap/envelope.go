package imap

import "strings"

// Envelope is the ENVELOPE of FETCH (RFC 9051 §2.3.5). Its strings are the
// header fields' as the server gave them: encoded words are not decoded.
type Envelope struct {
	Date      string // the Date field as it stands
	Subject   string
	From      []Address
	Sender    []Address
	ReplyTo   []Address
	To        []Address
	Cc        []Address
	Bcc       []Address
	InReplyTo string
	MessageID string
}

// Address is one address of an Envelope. One without Host begins a group named
// Mailbox, or ends it where Mailbox is empty, too.
type Address struct {
	Name    string // display name, encoded words not decoded
	Mailbox string // local-part
	Host    string // domain
}

// String is "mailbox@host"; "" for the marks of groups.
func (a Address) String() string {
	if a.Host == "" {
		return ""
	}
	return a.Mailbox + "@" + a.Host
}

// BodyPart is a part of a BODYSTRUCTURE or BODY (RFC 9051 §7.5.2). Types are in
// lower case.
type BodyPart struct {
	Type    string // "multipart" where Parts is not empty
	Subtype string
	Params  []Param // of Content-Type

	ID          string
	Description string
	Encoding    string // of the content, in lower case; "" of a multipart
	Size        int64  // octets in that encoding; 0 of a multipart
	Lines       int64  // of text and message/rfc822; else 0

	// The message of a message/rfc822 or message/global.
	Envelope *Envelope
	Message  *BodyPart

	Parts []*BodyPart // of a multipart

	// The rest is there in BODYSTRUCTURE only.
	MD5               string
	Disposition       string // in lower case; "" = none
	DispositionParams []Param
	Language          []string
	Location          string
}

// Param is a parameter of a header field. Its name is in lower case.
type Param struct{ Name, Value string }

// Filename is the name that a part has as a file, encoded words and RFC 2231 not
// decoded; "" = none.
func (p *BodyPart) Filename() string {
	for _, q := range p.DispositionParams {
		if q.Name == "filename" || q.Name == "filename*" {
			return q.Value
		}
	}
	for _, q := range p.Params {
		if q.Name == "name" || q.Name == "name*" {
			return q.Value
		}
	}
	return ""
}

// Is reports whether the part is of a media type, "text/plain" or "text/*".
func (p *BodyPart) Is(mediaType string) bool {
	typ, sub, _ := strings.Cut(strings.ToLower(mediaType), "/")
	return p.Type == typ && (sub == "*" || p.Subtype == sub)
}
