package format

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/mailstead/mailstead/store"
)

// The streams of a log. The rows of each lie in blocks of their own, in the
// order in which they were written.
const (
	StreamMailboxes = iota
	StreamMessages  // in sections, one a mailbox
	StreamEntries
	streams
)

// blockInfo is where a block lies in a log.
type blockInfo struct {
	part, stream int
	off          int64
	stored, raw  int64
	rows         int
	sum          [sha256.Size]byte // of the stored octets
}

// Section is where the messages of one mailbox begin in a part.
type Section struct {
	part    int
	Mailbox store.MailboxID
	Block   int // among all blocks
	Offset  int // in it, unpacked
	row     int // in it, counted from zero
	Rows    int
}

// LogWriter writes a log: rows in parts and streams.
type LogWriter struct {
	*sink
	c        *Codec
	part     int
	buf      [streams][]byte
	rows     [streams]int // in buf
	blocks   []blockInfo
	Sections []Section
	open     *Section // whose block is not known yet
	frame    []byte
}

// NewLogWriter begins a log. Commit or Abort ends it.
func NewLogWriter(ctx context.Context, t Target, name string, c *Codec) (*LogWriter, error) {
	s, err := newSink(ctx, t, name, magicLog)
	if err != nil {
		return nil, err
	}
	return &LogWriter{sink: s, c: c, part: -1}, nil
}

// NextPart begins a part: within one, everything comes at most once.
func (w *LogWriter) NextPart() error {
	if err := w.flushAll(); err != nil {
		return err
	}
	w.part++
	return nil
}

// Put adds a row that append writes to a stream.
func (w *LogWriter) Put(stream int, row func(b []byte) []byte) error {
	w.buf[stream] = row(w.buf[stream])
	w.rows[stream]++
	if len(w.buf[stream]) < rowsBlock {
		return nil
	}
	return w.flush(stream)
}

// Begin starts the section of a mailbox.
func (w *LogWriter) Begin(id store.MailboxID) {
	w.open = &Section{part: w.part, Mailbox: id}
}

// PutMessage adds a row to the section.
func (w *LogWriter) PutMessage(row func(b []byte) []byte) error {
	if w.open != nil {
		w.open.Block = -1 // until flush knows it
		w.open.Offset, w.open.row = len(w.buf[StreamMessages]), w.rows[StreamMessages]
		w.Sections = append(w.Sections, *w.open)
		w.open = nil
	}
	w.Sections[len(w.Sections)-1].Rows++
	return w.Put(StreamMessages, row)
}

func (w *LogWriter) flush(stream int) error {
	raw := w.buf[stream]
	if len(raw) == 0 {
		return nil
	}
	if len(raw) > MaxBlock {
		return &Problem{Object: w.name, Err: fmt.Errorf("%w: a row of %d octets", ErrLimit, len(raw))}
	}
	rows := w.rows[stream]
	w.buf[stream], w.rows[stream] = raw[:0], 0
	w.frame = w.c.enc.EncodeAll(raw, w.frame[:0])
	if stream == StreamMessages {
		for i := len(w.Sections) - 1; i >= 0 && w.Sections[i].Block < 0; i-- {
			w.Sections[i].Block = len(w.blocks)
		}
	}
	w.blocks = append(w.blocks, blockInfo{
		part: w.part, stream: stream, off: w.off, stored: int64(len(w.frame)), raw: int64(len(raw)), rows: rows,
		sum: sha256.Sum256(w.frame),
	})
	_, err := w.Write(w.frame)
	return err
}

func (w *LogWriter) flushAll() error {
	for stream := range streams {
		if err := w.flush(stream); err != nil {
			return err
		}
	}
	return nil
}

// Commit ends the log.
func (w *LogWriter) Commit(ctx context.Context, meta *LogMeta) (Object, error) {
	if err := w.flushAll(); err != nil {
		return Object{}, err
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return Object{}, err
	}
	index := appendIndex(appendString(nil, text), w.part+1, w.blocks, w.Sections)
	return w.finish(ctx, w.c.enc.EncodeAll(index, nil), len(index))
}

func appendIndex(b []byte, parts int, blocks []blockInfo, sections []Section) []byte {
	b = binary.AppendUvarint(b, uint64(parts))
	b = binary.AppendUvarint(b, uint64(len(blocks)))
	for i := range blocks {
		x := &blocks[i]
		b = append(binary.AppendUvarint(b, uint64(x.part)), byte(x.stream))
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(x.stored)), uint64(x.raw))
		b = binary.AppendUvarint(b, uint64(x.rows))
		b = append(b, x.sum[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(sections)))
	for i := range sections {
		x := &sections[i]
		b = append(binary.AppendUvarint(b, uint64(x.part)), x.Mailbox[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(x.Block)), uint64(x.Offset))
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(x.row)), uint64(x.Rows))
	}
	return b
}
