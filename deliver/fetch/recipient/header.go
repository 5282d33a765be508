package recipient

import (
	"bytes"
	"iter"
	"math"
	"strings"

	"github.com/mailstead/mailstead/internal/mailaddr"
	"github.com/mailstead/mailstead/internal/mime"
)

const (
	defaultMaxHeader = 256 << 10

	defaultMaxRecipients = 1000

	// maxFields bounds the fields that are kept of a header: those that somebody
	// asks for.
	maxFields = 4096
)

// field is a field that somebody asks for.
type field struct {
	name  string // in lower case, of the configuration
	value []byte // folded
	above int    // the Received fields above it
}

// header is what is looked at of a header block.
type header struct {
	fields   []field
	received int  // Received fields
	trusted  int  // fields with fewer Received above them are the provider's
	cut      bool // there is more, or the last field is not whole
}

// parse indexes a header block: one pass, whatever is asked for.
func (r *Resolver) parse(block []byte) *header {
	h := &header{}
	block, h.cut = cutBlock(block, r.maxHeader)
	for f := range mime.Fields(block) {
		name, ok := r.wanted(f.Name)
		if !ok {
			continue
		}
		if len(h.fields) == maxFields {
			h.cut = true
			break
		}
		h.fields = append(h.fields, field{name, f.Value, h.received})
		if name == "received" {
			h.received++
		}
	}
	h.trusted = r.trust(h)
	return h
}

// cutBlock returns the whole fields of the first limit octets.
func cutBlock(block []byte, limit int) (head []byte, cut bool) {
	if len(block) < limit {
		return block, false
	}
	head = block[:limit]
	if bytes.Contains(head, []byte("\n\n")) || bytes.Contains(head, []byte("\n\r\n")) {
		return head, false // the empty line is in it
	}
	for end := len(head); end > 0; {
		i := bytes.LastIndexByte(head[:end], '\n')
		if i < 0 {
			break
		}
		if i+1 < len(head) && head[i+1] != ' ' && head[i+1] != '\t' {
			return head[:i+1], true // the last field begins here
		}
		end = i
	}
	return nil, true
}

// wanted returns the name of a field that somebody asks for, without an
// allocation.
func (r *Resolver) wanted(name []byte) (string, bool) {
	var buf [maxName]byte
	if len(name) > len(buf) {
		return "", false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	known, ok := r.names[string(buf[:len(name)])]
	return known, ok
}

// trust counts the Received fields of the provider.
func (r *Resolver) trust(h *header) int {
	t := r.c.Trust
	switch {
	case t.Received < 0 && !h.cut:
		return math.MaxInt
	case t.Received < 0:
		return h.received
	case len(t.Hosts) == 0:
		return min(max(t.Received, 1), h.received)
	}
	for f := range h.all("received", true) {
		if t.Received > 0 && f.above >= t.Received {
			break
		}
		if r.isEntrance(byHost(f.value)) {
			return f.above + 1
		}
	}
	return 0
}

// isEntrance reports a host of Trust.Hosts.
func (r *Resolver) isEntrance(host string) bool {
	if host == "" {
		return false
	}
	host = mailaddr.Domain(host)
	for _, want := range r.hosts {
		if host == want || strings.HasPrefix(want, ".") && strings.HasSuffix(host, want) {
			return true
		}
	}
	return false
}

// all yields the fields of a name, anywhere or only those of the provider.
func (h *header) all(name string, anywhere bool) iter.Seq[*field] {
	return func(yield func(*field) bool) {
		for i := range h.fields {
			f := &h.fields[i]
			if f.name == name && (anywhere || f.above < h.trusted) && !yield(f) {
				return
			}
		}
	}
}
