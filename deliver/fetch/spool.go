package fetch

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailstead/mailstead/internal/headblock"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/store/blob"
)

// MaxHead is how much of a header block is looked at, in octets.
const MaxHead = 256 << 10

// errTooLarge: the message is greater than Source.MaxSize, whatever the server
// had said.
var errTooLarge = errors.New("fetch: message too large")

// spooled is a message on stable storage here.
type spooled struct {
	stored  blob.Stored
	size    int64
	head    []byte           // the header block, at most MaxHead of it
	reverse smtp.ReversePath // of the Return-Path field that was in front
	print   Print            // of the header
	body    []byte           // hash of what follows it
	content string           // hash of all of it, but for fields that servers change
	eight   bool             // has octets beyond ASCII
}

// spool stores a message, without the Return-Path that the delivery at the
// provider has put in front: the one here puts its own (RFC 5321 §4.4).
func spool(ctx context.Context, blobs blob.Blobs, r io.Reader, limit int64) (*spooled, error) {
	w, err := blobs.Create(ctx, -1)
	if err != nil {
		return nil, err
	}
	defer w.Abort()
	if limit > 0 {
		r = &limited{r, limit}
	}
	head, rest, err := headblock.Read(nil, r, MaxHead)
	if err != nil {
		return nil, err
	}
	s := &spooled{head: head}
	s.takeReturnPath()
	s.print = printOf(s.head)
	s.eight = beyondASCII(s.head)
	if _, err := w.Write(s.head); err != nil {
		return nil, err
	}
	if err := s.copyBody(w, rest, r); err != nil {
		return nil, err
	}
	ref, err := w.Commit(ctx)
	if err != nil {
		return nil, err
	}
	s.stored = blob.Stored{In: blobs, Ref: ref, Key: blob.KeyOf(w)}
	return s, nil
}

// copyBody copies what follows the header block.
func (s *spooled) copyBody(w io.Writer, rest []byte, r io.Reader) error {
	sum := sha256.New()
	buf := make([]byte, 32<<10)
	s.size = int64(len(s.head))
	for b, end := rest, error(nil); ; {
		sum.Write(b)
		s.eight = s.eight || beyondASCII(b)
		s.size += int64(len(b))
		if _, err := w.Write(b); err != nil {
			return err
		}
		if end != nil {
			break
		}
		var n int
		if n, end = r.Read(buf); end != nil && end != io.EOF {
			return end
		}
		b = buf[:n]
	}
	s.body = sum.Sum(nil)
	all := sha256.Sum256(append(s.print[:], s.body...))
	s.content = hex.EncodeToString(all[:16])
	return nil
}

func beyondASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return true
		}
	}
	return false
}

// bodyType is what the transport is told of it (RFC 6152).
func (s *spooled) bodyType() smtp.BodyType {
	if s.eight {
		return smtp.Body8BitMIME
	}
	return 0
}

// copyID is the same for copies of a message that came by different ways: of
// what its sender wrote.
func (s *spooled) copyID() string {
	sum := sha256.New()
	for head := s.head; len(head) > 0; {
		end := fieldEnd(head)
		name, _, _ := strings.Cut(string(head[:min(end, 16)]), ":")
		switch strings.ToLower(name) {
		case "from", "date", "message-id", "subject":
			sum.Write(head[:end])
		}
		head = head[end:]
	}
	sum.Write(s.body)
	return hex.EncodeToString(sum.Sum(nil)[:20])
}

// limited is a reader that fails beyond its limit.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// takeReturnPath takes the Return-Path field away from the front.
func (s *spooled) takeReturnPath() {
	const name = "return-path:"
	for len(s.head) >= len(name) && strings.EqualFold(string(s.head[:len(name)]), name) {
		end := fieldEnd(s.head)
		value := strings.TrimSpace(string(s.head[len(name):end]))
		if p, err := smtp.ParseReversePath(value, true); err == nil && s.reverse.IsNull() {
			s.reverse = p
		}
		s.head = s.head[end:]
	}
}

// fieldEnd is where the first field of b ends, its continuation lines included.
func fieldEnd(b []byte) int {
	for i := 0; i < len(b); i++ {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			break
		}
		i += n
		if i+1 == len(b) || b[i+1] != ' ' && b[i+1] != '\t' {
			return i + 1
		}
	}
	return len(b)
}

// changed are the fields that servers add or change while a message lies there.
var changed = [...]string{"status:", "x-status:", "x-uid:", "x-uidl:", "x-keywords:", "x-imap:", "x-imapbase:", "x-mozilla-status:", "x-mozilla-status2:", "content-length:", "return-path:"}

// printOf is the fingerprint of a header block: of its fields but those, without
// CR.
func printOf(head []byte) (p Print) {
	h := sha256.New()
	for len(head) > 0 {
		end := fieldEnd(head)
		field := head[:end]
		head = head[end:]
		if isChanged(field) {
			continue
		}
		for line := range bytes.Lines(field) {
			h.Write(bytes.TrimRight(line, "\r\n"))
			h.Write([]byte{'\n'})
		}
	}
	copy(p[:], h.Sum(nil))
	return p
}

func isChanged(field []byte) bool {
	for _, name := range changed {
		if len(field) >= len(name) && strings.EqualFold(string(field[:len(name)]), name) {
			return true
		}
	}
	return false
}

// onceOf is the key by which a target knows that it has the message already: of
// the source, the ID and the content, for an ID may be given to another message.
func onceOf(source, id, content string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%d:%s%s", len(source), source, len(id), id, content))
	return "fetch:" + hex.EncodeToString(sum[:16])
}
