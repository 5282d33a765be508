package imapresp

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// consumeSection takes
//
//	section = "[" [section-spec] "]" ["<" number ">"]
func consumeSection(b []byte) (sec imap.Section, n int, err error) {
	n = 1
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		v, m, err := imapwire.ConsumeNZNumber(b[n:])
		if err != nil {
			return sec, 0, err
		}
		sec.Part = append(sec.Part, v)
		if n += m; b[n] != '.' {
			break
		}
		n++
	}
	if n == len(b) {
		return sec, 0, io.ErrUnexpectedEOF
	}
	if b[n] != ']' {
		m, err := sectionText(&sec, b[n:])
		if err != nil {
			return sec, 0, err
		}
		n += m
	}
	if n >= len(b) || b[n] != ']' {
		return sec, 0, errors.New("section does not end")
	}
	n++
	if n < len(b) && b[n] == '<' {
		v, m, err := imapwire.ConsumeNumber64(b[n+1:])
		if err != nil {
			return sec, 0, err
		}
		if n += 1 + m; b[n] != '>' {
			return sec, 0, errors.New("origin does not end")
		}
		n++
		sec.Partial, sec.Offset = true, v
	}
	return sec, n, nil
}

// sectionText takes section-text.
func sectionText(sec *imap.Section, b []byte) (int, error) {
	word, n, err := imapwire.ConsumeItemName(b)
	if err != nil {
		return 0, err
	}
	switch strings.ToUpper(string(word)) {
	case "HEADER":
		sec.Text = imap.TextHeader
		return n, nil
	case "TEXT":
		sec.Text = imap.TextText
		return n, nil
	case "MIME":
		sec.Text = imap.TextMIME
		return n, nil
	case "HEADER.FIELDS":
		sec.Text = imap.TextFields
	case "HEADER.FIELDS.NOT":
		sec.Text = imap.TextFieldsNot
	default:
		return 0, errors.New("unknown section " + strconv.Quote(string(word)))
	}
	v := skip(b[n:])
	n = len(b) - len(v)
	m, err := ConsumeList(v, func(b []byte) (int, error) {
		s, n, err := ConsumeAString(b)
		sec.Fields = append(sec.Fields, string(s))
		return n, err
	})
	return n + m, err
}
