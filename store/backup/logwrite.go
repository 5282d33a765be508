package backup

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
	streamMailboxes = iota
	streamMessages  // in sections, one a mailbox
	streamEntries
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

// section is where the messages of one mailbox begin in a part.
type section struct {
	part    int
	mailbox store.MailboxID
	block   int // among all blocks
	offset  int // in it, unpacked
	row     int // in it, counted from zero
	rows    int
}

// logWriter writes a log: rows in parts and streams.
type logWriter struct {
	*sink
	c        *codec
	part     int
	buf      [streams][]byte
	rows     [streams]int // in buf
	blocks   []blockInfo
	sections []section
	open     *section // whose block is not known yet
	frame    []byte
}

func newLogWriter(ctx context.Context, t Target, name string, c *codec) (*logWriter, error) {
	s, err := newSink(ctx, t, name, magicLog)
	if err != nil {
		return nil, err
	}
	return &logWriter{sink: s, c: c, part: -1}, nil
}

// nextPart begins a part: within one, everything comes at most once.
func (w *logWriter) nextPart() error {
	if err := w.flushAll(); err != nil {
		return err
	}
	w.part++
	return nil
}

// put adds a row that append writes to a stream.
func (w *logWriter) put(stream int, row func(b []byte) []byte) error {
	w.buf[stream] = row(w.buf[stream])
	w.rows[stream]++
	if len(w.buf[stream]) < rowsBlock {
		return nil
	}
	return w.flush(stream)
}

// begin starts the section of a mailbox.
func (w *logWriter) begin(id store.MailboxID) {
	w.open = &section{part: w.part, mailbox: id}
}

// putMessage adds a row to the section.
func (w *logWriter) putMessage(row func(b []byte) []byte) error {
	if w.open != nil {
		w.open.block = -1 // until flush knows it
		w.open.offset, w.open.row = len(w.buf[streamMessages]), w.rows[streamMessages]
		w.sections = append(w.sections, *w.open)
		w.open = nil
	}
	w.sections[len(w.sections)-1].rows++
	return w.put(streamMessages, row)
}

func (w *logWriter) flush(stream int) error {
	raw := w.buf[stream]
	if len(raw) == 0 {
		return nil
	}
	if len(raw) > maxBlock {
		return &Problem{Object: w.name, Err: fmt.Errorf("%w: a row of %d octets", ErrLimit, len(raw))}
	}
	rows := w.rows[stream]
	w.buf[stream], w.rows[stream] = raw[:0], 0
	w.frame = w.c.enc.EncodeAll(raw, w.frame[:0])
	if stream == streamMessages {
		for i := len(w.sections) - 1; i >= 0 && w.sections[i].block < 0; i-- {
			w.sections[i].block = len(w.blocks)
		}
	}
	w.blocks = append(w.blocks, blockInfo{
		part: w.part, stream: stream, off: w.off, stored: int64(len(w.frame)), raw: int64(len(raw)), rows: rows,
		sum: sha256.Sum256(w.frame),
	})
	_, err := w.Write(w.frame)
	return err
}

func (w *logWriter) flushAll() error {
	for stream := range streams {
		if err := w.flush(stream); err != nil {
			return err
		}
	}
	return nil
}

// commit ends the log.
func (w *logWriter) commit(ctx context.Context, meta *logMeta) (Object, error) {
	if err := w.flushAll(); err != nil {
		return Object{}, err
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return Object{}, err
	}
	index := appendIndex(appendString(nil, text), w.part+1, w.blocks, w.sections)
	return w.finish(ctx, w.c.enc.EncodeAll(index, nil), len(index))
}

func appendIndex(b []byte, parts int, blocks []blockInfo, sections []section) []byte {
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
		b = append(binary.AppendUvarint(b, uint64(x.part)), x.mailbox[:]...)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(x.block)), uint64(x.offset))
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(x.row)), uint64(x.rows))
	}
	return b
}
