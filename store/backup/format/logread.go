package format

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"iter"
	"math"
	"slices"

	"github.com/mailstead/mailstead/store"
)

// maxParts bounds the parts of a log: the deltas of store.ReadAccount, and one
// for tombstones.
const maxParts = 1100

// LogReader reads a log.
type LogReader struct {
	*Source
	c        *Codec
	Meta     LogMeta
	Parts    int
	blocks   []blockInfo
	Sections []map[store.MailboxID]Section // by part
	frame    []byte
}

// OpenLog opens a log.
func OpenLog(ctx context.Context, t Target, name string, c *Codec, limit int64) (*LogReader, error) {
	s, err := OpenSource(ctx, t, name, magicLog, limit)
	if err != nil {
		return nil, err
	}
	r := &LogReader{Source: s, c: c}
	if err := r.parseIndex(); err != nil {
		s.Close()
		return nil, err
	}
	return r, nil
}

func (r *LogReader) parseIndex() error {
	b, err := r.c.unpack(nil, r.index, r.raw)
	if err != nil {
		return Damage(r.name, "its index: %v", err)
	}
	r.index = nil
	return r.parse(b)
}

// parse reads the unpacked index.
func (r *LogReader) parse(b []byte) error {
	in := &input{b: b}
	if err := r.parseMeta(in.bytes()); err != nil {
		return err
	}
	r.Parts = int(in.number(maxParts))
	r.Sections = make([]map[store.MailboxID]Section, r.Parts)
	r.parseBlocks(in)
	r.parseSections(in)
	if in.err != nil || len(in.b) > 0 {
		return Damage(r.name, "its index makes no sense")
	}
	return nil
}

func (r *LogReader) parseMeta(text []byte) error {
	m := &r.Meta
	if err := json.Unmarshal(text, m); err != nil {
		return Damage(r.name, "its index: %v", err)
	}
	if m.Account.Check() != nil || !isMailboxID(m.Mailbox) || m.Parent != nil && !m.Parent.check() ||
		(m.Parent == nil) != (m.Since == 0) || m.Chain < 1 || m.ModSeq <= m.Since {
		return Damage(r.name, "its index makes no sense")
	}
	return nil
}

// smallestBlock and smallestSection are what an entry takes at least, so that
// no count makes the reader ask for more memory than the index has octets.
const (
	smallestBlock   = 5 + sha256.Size
	smallestSection = 5 + len(store.MailboxID{})
)

func (r *LogReader) parseBlocks(in *input) {
	off := int64(headerSize)
	n := in.number(uint64(len(in.b) / smallestBlock))
	r.blocks = make([]blockInfo, 0, n)
	for range n {
		x := blockInfo{part: int(in.uvarint()), stream: int(in.octet()), off: off}
		x.stored, x.raw = int64(in.number(math.MaxInt32)), int64(in.number(MaxBlock))
		x.rows = int(in.number(MaxBlock))
		copy(x.sum[:], in.take(sha256.Size))
		off += x.stored
		if in.err != nil || x.part < 0 || x.part >= r.Parts || x.stream >= streams || x.raw == 0 || x.rows == 0 || off > r.frames {
			in.fail()
			return
		}
		r.blocks = append(r.blocks, x)
	}
	if off != r.frames {
		in.fail()
	}
}

func (r *LogReader) parseSections(in *input) {
	for range in.number(uint64(len(in.b) / smallestSection)) {
		x := Section{part: int(in.uvarint())}
		copy(x.Mailbox[:], in.take(uint64(len(x.Mailbox))))
		x.Block, x.Offset = int(in.number(math.MaxInt32)), int(in.number(MaxBlock))
		x.row, x.Rows = int(in.number(MaxBlock)), int(in.number(math.MaxUint32))
		if in.err != nil || x.part < 0 || x.part >= r.Parts || x.Block >= len(r.blocks) || x.Rows == 0 ||
			r.blocks[x.Block].stream != StreamMessages || r.blocks[x.Block].part != x.part ||
			int64(x.Offset) >= r.blocks[x.Block].raw || x.row >= r.blocks[x.Block].rows {
			in.fail()
			return
		}
		m := r.Sections[x.part]
		if m == nil {
			m = make(map[store.MailboxID]Section)
			r.Sections[x.part] = m
		}
		if _, twice := m[x.Mailbox]; twice {
			in.fail()
			return
		}
		m[x.Mailbox] = x
	}
}

// block returns the octets of a block, in dst where they fit.
func (r *LogReader) block(i int, dst []byte) ([]byte, error) {
	x := &r.blocks[i]
	if int64(cap(r.frame)) < x.stored {
		r.frame = make([]byte, x.stored)
	}
	frame, err := r.readInto(r.frame[:x.stored], x.off)
	if err != nil {
		return nil, err
	}
	if sha256.Sum256(frame) != x.sum {
		return nil, Damage(r.name, "block %d has another checksum", i)
	}
	raw, err := r.c.unpack(dst, frame, x.raw)
	if err != nil {
		return nil, Damage(r.name, "block %d: %v", i, err)
	}
	return raw, nil
}

// cursor reads the rows of one stream of one part, block by block. After an
// error it may be asked again: it goes on behind what is damaged.
type cursor struct {
	r      *LogReader
	part   int
	stream int
	next   int // block
	rows   int // left in the block that is read
	buf    []byte
	in     input
}

func (r *LogReader) stream(part, stream int) *cursor {
	return &cursor{r: r, part: part, stream: stream}
}

// load makes the next block ready; false at the end of the stream.
func (c *cursor) load() (bool, error) {
	for c.next < len(c.r.blocks) && (c.r.blocks[c.next].part != c.part || c.r.blocks[c.next].stream != c.stream) {
		c.next++
	}
	if c.next == len(c.r.blocks) {
		return false, nil
	}
	i := c.next
	c.next++
	raw, err := c.r.block(i, c.buf)
	if err != nil {
		c.rows = 0
		return false, err
	}
	c.buf, c.in, c.rows = raw, input{b: raw}, c.r.blocks[i].rows
	return true, nil
}

// row begins the next row and returns its type; ok is false at the end.
func (c *cursor) row() (kind byte, ok bool, err error) {
	for c.rows == 0 {
		if len(c.in.b) > 0 {
			return 0, false, c.fault("has more than its rows")
		}
		if ok, err := c.load(); !ok {
			return 0, false, err
		}
	}
	c.rows--
	return c.in.octet(), true, nil
}

// fault gives up the rest of the block.
func (c *cursor) fault(what string) error {
	c.in, c.rows = input{}, 0
	return Damage(c.r.name, "block %d %s", c.next-1, what)
}

// done ends a row that was read.
func (c *cursor) done() error {
	if c.in.err != nil {
		return c.fault("has a row that makes no sense")
	}
	return nil
}

// UIDCursor reads the section of one mailbox. It stands at a row, which is in
// m, while ok.
type UIDCursor struct {
	cursor
	start *Section // nil once it has begun
	left  int      // rows behind this one
	Kind  byte
	Row   Message
	ok    bool
}

// Section stands before the first row of a mailbox; nil where there is none.
func (r *LogReader) Section(part int, id store.MailboxID) *UIDCursor {
	x, ok := r.Sections[part][id]
	if !ok {
		return nil
	}
	c := cursor{r: r, part: part, stream: StreamMessages, next: x.Block}
	return &UIDCursor{cursor: c, start: &x, left: x.Rows}
}

// advance goes to the next row. After an error the rows of the damaged block
// are left out.
func (c *UIDCursor) advance() error {
	if c.ok = false; c.left == 0 {
		return nil
	}
	if err := c.ready(); err != nil {
		return err
	}
	before, last := c.rows, c.Row.UID
	kind, _, err := c.row()
	if err == nil {
		c.in.uidRow(kind, &c.Row)
		if c.Row.UID <= last || !isUIDRow(kind) {
			c.in.fail()
		}
		err = c.done()
	}
	if err != nil {
		c.Row.UID = last
		c.left -= min(c.left, before)
		return err
	}
	c.left--
	c.Kind, c.ok = kind, true
	return nil
}

// All goes through the section and yields nil at each row, or an error.
func (c *UIDCursor) All() iter.Seq[error] {
	return func(yield func(error) bool) {
		for {
			err := c.advance()
			if !c.ok && err == nil || !yield(err) {
				return
			}
		}
	}
}

// ready loads the next block where this one has no more rows.
func (c *UIDCursor) ready() error {
	if c.rows > 0 {
		return nil
	}
	var skip Section
	if c.start != nil {
		skip, c.start = *c.start, nil
	}
	ok, err := c.load()
	if err != nil {
		c.left -= min(c.left, c.r.blocks[c.next-1].rows-skip.row)
		return err
	}
	if !ok {
		c.left = 0
		return Damage(c.r.name, "a mailbox has fewer messages than its index says")
	}
	c.in.take(uint64(skip.Offset))
	c.rows -= skip.row
	return nil
}

func isUIDRow(kind byte) bool {
	switch kind {
	case RowMessage, RowState, RowGone, RowBody, RowNoBody:
		return true
	}
	return false
}

// Ordered are the sections of a part as they lie in the log.
func (r *LogReader) Ordered(part int) []Section {
	out := make([]Section, 0, len(r.Sections[part]))
	for _, x := range r.Sections[part] {
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y Section) int {
		if x.Block != y.Block {
			return x.Block - y.Block
		}
		return x.Offset - y.Offset
	})
	return out
}
