package dmarc

import (
	"bytes"
	"errors"
	"slices"
)

// Why a header block has no Author Domain; tested with errors.Is. A message
// like that is not for DMARC (RFC 9989 §5.3.1, §11.5), and what is shown to its
// reader may be anything: refuse it, or put it aside.
var (
	// ErrNoAuthor: there is no From field, or no address in it.
	ErrNoAuthor = errors.New("dmarc: no author")
	// ErrManyFrom: there is more than one From field.
	ErrManyFrom = errors.New("dmarc: more than one From field")
	// ErrManyAuthors: the From field has more than one address.
	ErrManyAuthors = errors.New("dmarc: more than one author")
	// ErrAuthor: From is not what RFC 5322 §3.4 says, its domain is none, or
	// is the literal of an address.
	ErrAuthor = errors.New("dmarc: malformed From field")
)

// maxAuthors is how many domains AuthorDomains finds.
const maxAuthors = 16

// AuthorDomain is the domain of the one address of the one From field of a
// header block, in A-labels and lower case. A message has one of those, or an
// error that says why not. The block ends at an empty line, or with its
// octets; its lines at CRLF, LF, and at a bare CR, behind which some readers
// see a field. Time is linear in the length of the block.
func AuthorDomain(header []byte) (string, error) {
	a := fromFields(header, true)
	switch {
	case a.fields > 1:
		return "", ErrManyFrom
	case a.count > 1:
		return "", ErrManyAuthors
	case a.err != nil:
		return "", a.err
	case a.count == 0:
		return "", ErrNoAuthor
	}
	return a.domains[0], nil
}

// AuthorDomains is for those who go ahead with a message that AuthorDomain
// refuses: the different domains of all addresses of all From fields, in their
// order, without what is malformed. There may be none. With more than 16 it
// fails with ErrManyAuthors. Judge each of them, then take Worst.
func AuthorDomains(header []byte) ([]string, error) {
	a := fromFields(header, false)
	if len(a.domains) > maxAuthors {
		return nil, ErrManyAuthors
	}
	return a.domains, nil
}

// authors is what the From fields of a header block hold.
type authors struct {
	fields  int
	count   int // addresses
	domains []string
	err     error // the first
	strict  bool  // two of anything are enough to know
}

func (a *authors) fail() {
	if a.err == nil {
		a.err = ErrAuthor
	}
}

// fromFields looks for From fields.
func fromFields(header []byte, strict bool) authors {
	a := authors{strict: strict}
	var value []byte // of the From field that is open
	open := false
	for len(header) > 0 && (!strict || a.fields < 2) {
		line, rest, _ := bytes.Cut(header, []byte("\n"))
		header = rest
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(line) == 0 {
			break
		}
		for i := 0; ; i++ {
			part, more, cut := bytes.Cut(line, []byte("\r"))
			line = more
			switch v, ok := fromField(part); {
			case ok:
				a.field(value, open)
				value, open = append(value[:0], v...), true
			case open && len(part) > 0 && (part[0] == ' ' || part[0] == '\t'):
				value = append(value, part...)
			default:
				a.field(value, open)
				open = false
			}
			if open && (i > 0 || cut) {
				a.fail()
			}
			if !cut || strict && a.fields > 1 {
				break
			}
		}
	}
	a.field(value, open)
	return a
}

// fromField is the value of a line that begins a From field.
func fromField(line []byte) (value []byte, ok bool) {
	if len(line) < 5 || !bytes.EqualFold(line[:4], []byte("from")) {
		return nil, false
	}
	rest := bytes.TrimLeft(line[4:], " \t")
	return bytes.TrimPrefix(rest, []byte(":")), len(rest) > 0 && rest[0] == ':'
}

// field reads the value of a From field, without line ends.
func (a *authors) field(value []byte, open bool) {
	if !open {
		return
	}
	a.fields++
	s := scanner{in: value}
	for {
		domain, ok := s.mailbox()
		if s.bad {
			a.fail()
		}
		if !ok {
			return
		}
		a.count++
		if a.strict && a.count > 1 || len(a.domains) > maxAuthors {
			return
		}
		d, err := canonical(domain)
		if err != nil {
			a.fail()
			continue
		}
		if !slices.Contains(a.domains, d) {
			a.domains = append(a.domains, d)
		}
	}
}
