package searchtext

import (
	"bytes"
	"context"
	"io"

	"github.com/mailstead/mailstead/store"
)

// Matcher judges for store.Search whether a message contains text: it reads
// the message.
func Matcher(text string, in store.TextPart) store.Matcher {
	needle := []byte(Fold(text))
	return func(_ context.Context, m *store.Message, c store.Content) (bool, error) {
		return matches(needle, in, m, c)
	}
}

func matches(needle []byte, in store.TextPart, m *store.Message, c store.Content) (bool, error) {
	prefix := int64(len(m.Prefix))
	size := c.Size() - prefix
	blob := io.NewSectionReader(c, prefix, size)
	meta, ok := store.DecodeMeta(m.Meta)
	if !ok {
		var err error
		if meta, err = store.ComputeMeta(blob, size); err != nil {
			return false, err
		}
	}
	f := &finder{needle: needle}
	if in != store.TextBody {
		for fd, err := range Header(c, min(prefix+meta.HeaderSize, c.Size())) {
			if err == nil {
				err = fd.WriteText(f)
			}
			if err != nil || f.found {
				return f.found, err
			}
			f.End()
		}
	}
	if in == store.TextHeader {
		return false, nil
	}
	err := Body(blob, size, &meta, f)
	return f.found, err
}

// finder looks for one needle.
type finder struct {
	needle []byte
	fold   Folder
	text   []byte // what the start of the needle may be in
	found  bool
}

func (f *finder) Write(p []byte) (int, error) {
	f.text = f.fold.Append(f.text, p)
	f.found = f.found || bytes.Contains(f.text, f.needle)
	if drop := len(f.text) - len(f.needle) + 1; drop > 0 {
		f.text = append(f.text[:0], f.text[drop:]...)
	}
	return len(p), nil
}

func (f *finder) End()       { f.fold.End(); f.text = f.text[:0] }
func (f *finder) Done() bool { return f.found }
