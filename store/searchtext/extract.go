package searchtext

import (
	"io"
	"unicode/utf8"

	"github.com/mailstead/mailstead/store"
)

// Separator ends each text in a Text. It replaces the octets 0 and 1 of texts,
// so that it never stands inside one; who looks for a needle that holds one of
// these cannot use a Text.
const Separator = 1

// Text is what Extract returns: texts in the form of Fold, each ended by
// Separator.
type Text struct {
	Header []byte // of the message's own header
	Body   []byte // of all that lies behind it

	// Cut says that the message has more text than was wanted: what is not
	// found may be there nevertheless.
	Cut bool
}

// Extract returns the texts of a message, up to limit octets of header and of
// body. c is its content, prefix the length of its Prefix. Errors are those of
// c.
func Extract(c store.Content, prefix int64, meta *store.Meta, limit int) (Text, error) {
	var t Text
	head := collector{room: limit}
	for f, err := range Header(c, min(prefix+meta.HeaderSize, c.Size())) {
		if err == nil {
			err = f.WriteText(&head)
		}
		if err != nil {
			return Text{}, err
		}
		if head.End(); head.cut {
			break
		}
	}
	t.Header, t.Cut = head.text, head.cut
	k := collector{room: limit}
	size := c.Size() - prefix
	if err := Body(io.NewSectionReader(c, prefix, size), size, meta, &k); err != nil {
		return Text{}, err
	}
	t.Body, t.Cut = k.text, t.Cut || k.cut
	return t, nil
}

// collector keeps the texts that it is handed, as long as there is room.
type collector struct {
	fold Folder
	text []byte
	room int
	cut  bool
}

func (k *collector) Write(p []byte) (int, error) {
	if k.cut {
		return len(p), nil
	}
	n := len(k.text)
	k.text = k.fold.Append(k.text, p)
	for i, c := range k.text[n:] {
		if c <= Separator {
			k.text[n+i] = Separator
		}
	}
	if len(k.text) > k.room {
		k.cut = true
		end := max(k.room, 0)
		for end > 0 && !utf8.RuneStart(k.text[end]) {
			end--
		}
		k.text = k.text[:end]
	}
	return len(p), nil
}

func (k *collector) End() {
	k.fold.End()
	if !k.cut {
		k.text = append(k.text, Separator)
	}
}

func (k *collector) Done() bool { return k.cut }
