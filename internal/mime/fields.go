package mime

import "sync"

// maxPooledBlock is the largest header buffer that is kept for the next
// message: one that grew step by step to the default limit.
const maxPooledBlock = 2 * DefaultMaxHeader

var blocks = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// Envelope holds the fields of a message header that ENVELOPE, SORT and THREAD
// look at: unfolded, otherwise as they were written. nil = absent. Where an
// address field stands more than once, its values are joined by commas, so that
// no reader sees another sender than the next. Of Date, Subject, In-Reply-To and
// Message-ID the last one counts, as other servers have it; of References the
// first.
type Envelope struct {
	Date, Subject                    []byte
	From, Sender, ReplyTo            []byte
	To, Cc, Bcc                      []byte
	InReplyTo, MessageID, References []byte
}

// kind says what is done with a field of a given name.
type kind uint8

const (
	kindNone kind = iota
	kindType
	kindID
	kindDescription
	kindEncoding
	kindMD5
	kindDisposition
	kindLanguage
	kindLocation
	kindDate // this one and those behind it: of messages only
	kindSubject
	kindInReplyTo
	kindMessageID
	kindReferences
	kindFrom // this one and those behind it: address lists
	kindSender
	kindReplyTo
	kindTo
	kindCc
	kindBcc
	kinds
)

// fieldKind finds the kind of a field name.
func fieldKind(name []byte) kind {
	if len(name) > len("content-transfer-encoding") {
		return kindNone
	}
	var buf [32]byte
	lower := buf[:len(name)]
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		lower[i] = c
	}
	switch string(lower) {
	case "content-type":
		return kindType
	case "content-id":
		return kindID
	case "content-description":
		return kindDescription
	case "content-transfer-encoding":
		return kindEncoding
	case "content-md5":
		return kindMD5
	case "content-disposition":
		return kindDisposition
	case "content-language":
		return kindLanguage
	case "content-location":
		return kindLocation
	}
	return messageFieldKind(string(lower))
}

func messageFieldKind(lower string) kind {
	switch lower {
	case "date":
		return kindDate
	case "subject":
		return kindSubject
	case "in-reply-to":
		return kindInReplyTo
	case "message-id":
		return kindMessageID
	case "references":
		return kindReferences
	case "from":
		return kindFrom
	case "sender":
		return kindSender
	case "reply-to":
		return kindReplyTo
	case "to":
		return kindTo
	case "cc":
		return kindCc
	case "bcc":
		return kindBcc
	}
	return kindNone
}

// readFields fills p from its header block. It reports false when Limits.MaxKept
// leaves no room for the values; then p has its default type.
func (w *walker) readFields(p *Part, block []byte) bool {
	w.in.work += int64(len(block))
	isMessage := len(w.stack) == 1 || w.stack[len(w.stack)-2].part.Message == p
	need := 0
	for f := range Fields(block) {
		if k := fieldKind(f.Name); k != kindNone && (isMessage || k < kindDate) {
			need += len(f.Value)
		}
	}
	ok := need <= w.limits.MaxKept-w.kept
	var values [kinds][]byte
	if ok {
		w.kept += need
		collect(&values, block, isMessage, need)
	}
	setEntity(p, &values)
	if isMessage {
		p.Envelope = &Envelope{
			Date: values[kindDate], Subject: values[kindSubject],
			From: values[kindFrom], Sender: values[kindSender], ReplyTo: values[kindReplyTo],
			To: values[kindTo], Cc: values[kindCc], Bcc: values[kindBcc],
			InReplyTo: values[kindInReplyTo], MessageID: values[kindMessageID],
			References: values[kindReferences],
		}
	}
	return ok
}

// collect copies the unfolded values into one allocation.
func collect(values *[kinds][]byte, block []byte, isMessage bool, need int) {
	arena := make([]byte, 0, need)
	for f := range Fields(block) {
		k := fieldKind(f.Name)
		if k == kindNone || !isMessage && k >= kindDate {
			continue
		}
		seen := values[k] != nil
		if seen && (k < kindDate || k == kindReferences) {
			continue
		}
		start := len(arena)
		arena = AppendUnfolded(arena, f.Value)
		v := arena[start:len(arena):len(arena)]
		if seen && k >= kindFrom {
			v = append(append(values[k], ", "...), v...)
		}
		values[k] = v
	}
}

// setEntity fills the MIME fields of p. It may change the values in place.
func setEntity(p *Part, values *[kinds][]byte) {
	if v := values[kindType]; v != nil {
		p.Type, p.Subtype, p.Params = parseContentType(v)
	}
	if p.Type == nil {
		p.Type, p.Subtype = []byte("text"), []byte("plain")
	}
	p.ID, p.Description = values[kindID], values[kindDescription]
	p.Location, p.MD5 = values[kindLocation], values[kindMD5]
	p.Encoding = parseToken(values[kindEncoding])
	p.Disposition, p.DispParams = parseDisposition(values[kindDisposition])
	p.Language = parseLanguage(values[kindLanguage])
}
