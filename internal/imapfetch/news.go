package imapfetch

import (
	"bytes"
	"slices"

	"github.com/mailstead/mailstead/imap"
	"github.com/mailstead/mailstead/internal/imapwire"
)

// ParseNews takes [[SP] "(" fetch-att *(SP fetch-att) ")"]: the items that are
// told of new messages, behind MessageNew of NOTIFY and UPDATE of SEARCH
// (RFC 5465 §8); nil = none follow. They mark nothing \Seen: nobody read what is
// told unasked.
func ParseNews(dec *imapwire.Decoder, d Dialect) (*Plan, error) {
	_, err := imapwire.Take(dec, func(b []byte) (struct{}, int, error) {
		switch {
		case len(b) > 0 && b[0] == '(':
			return struct{}{}, 0, nil
		case len(b) > 1 && b[0] == ' ' && b[1] == '(':
			return struct{}{}, 1, nil
		}
		return struct{}{}, 0, imapwire.Bad("Items expected")
	})
	if err != nil {
		return nil, nil
	}
	p := &parser{dec: dec, plan: &Plan{Decoded: d.Rev2}, dialect: d}
	err = p.items()
	p.plan.Seen = false
	return p.plan, err
}

// Merge is a plan for all that two of them ask for, each thing once. It fails
// with [ErrTooManySections]. Neither has modifiers.
func Merge(a, b *Plan) (*Plan, error) {
	p := &Plan{Items: a.Items | b.Items, Decoded: a.Decoded, binary: a.binary, Sections: slices.Clone(a.Sections)}
	p.Lazy = (a.Lazy || a.Items&imap.FetchPreview == 0) && (b.Lazy || b.Items&imap.FetchPreview == 0)
	for i := range b.Sections {
		if slices.ContainsFunc(a.Sections, func(sec imap.Section) bool { return sameAnswer(&sec, &b.Sections[i]) }) {
			continue
		}
		if err := p.add(b.Sections[i]); err != nil {
			return nil, err
		}
	}
	p.Seen = a.Seen || b.Seen
	return p, nil
}

// sameAnswer reports whether two sections are the same octets by the same name.
func sameAnswer(a, b *imap.Section) bool {
	return a.Partial == b.Partial && a.Count == b.Count && bytes.Equal(a.AppendName(nil), b.AppendName(nil))
}
