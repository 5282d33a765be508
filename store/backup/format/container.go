package format

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"

	"github.com/mailstead/mailstead/store"
)

// Version is that of the format that this package writes. It reads this one
// and the one before.
const Version = 1

// Logs and packs are containers: a header, frames, an index and a trailer.
//
//	header   0 magic[8]  8 version u16  10 zero[6]
//	trailer  0 offset of the index u64  8 its octets u64  16 unpacked u64
//	         24 SHA-256 of its octets  56 "MSTDEND\0"
const (
	headerSize  = 16
	trailerSize = 64
)

var (
	magicLog  = [8]byte{'M', 'S', 'T', 'D', 'L', 'O', 'G', 0} // constant
	MagicPack = [8]byte{'M', 'S', 'T', 'D', 'P', 'C', 'K', 0} // constant
	magicEnd  = [8]byte{'M', 'S', 'T', 'D', 'E', 'N', 'D', 0} // constant
)

// Object names an object of the archive and what it must hold.
type Object struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Codec packs and unpacks blocks. It is used by one goroutine.
type Codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// NewCodec makes one. Close ends it.
func NewCodec() (*Codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow), zstd.WithLowerEncoderMem(true),
		zstd.WithZeroFrames(true))
	if err != nil {
		return nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil, err
	}
	return &Codec{enc, dec}, nil
}

// Close gives back what it holds.
func (c *Codec) Close() { c.dec.Close() }

// unpack returns exactly size octets, in dst where they fit.
func (c *Codec) unpack(dst, frame []byte, size int64) ([]byte, error) {
	if int64(cap(dst)) < size {
		dst = make([]byte, 0, size)
	}
	out, err := c.dec.DecodeAll(frame, dst[:0:size])
	if err != nil {
		return nil, err
	}
	if int64(len(out)) != size {
		return nil, fmt.Errorf("%d octets unpacked, want %d", len(out), size)
	}
	return out, nil
}

// sink writes a container.
type sink struct {
	name string
	w    Writer
	sum  hash.Hash
	off  int64
}

func newSink(ctx context.Context, t Target, name string, magic [8]byte) (*sink, error) {
	w, err := t.Create(ctx, name)
	if err != nil {
		return nil, err
	}
	s := &sink{name: name, w: w, sum: sha256.New()}
	header := binary.LittleEndian.AppendUint16(magic[:], Version)
	if _, err := s.Write(append(header, make([]byte, 6)...)); err != nil {
		s.Abort()
		return nil, err
	}
	return s, nil
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.sum.Write(p[:n])
	s.off += int64(n)
	return n, err
}

// Abort removes what was written.
func (s *sink) Abort() { s.w.Abort() }

// Written is the number of octets so far.
func (s *sink) Written() int64 { return s.off }

// finish writes index, which unpacks to raw octets, and the trailer.
func (s *sink) finish(ctx context.Context, index []byte, raw int) (Object, error) {
	sum := sha256.Sum256(index)
	end := binary.LittleEndian.AppendUint64(nil, uint64(s.off))
	end = binary.LittleEndian.AppendUint64(end, uint64(len(index)))
	end = binary.LittleEndian.AppendUint64(end, uint64(raw))
	end = append(append(end, sum[:]...), magicEnd[:]...)
	for _, b := range [...][]byte{index, end} {
		if _, err := s.Write(b); err != nil {
			return Object{}, err
		}
	}
	if err := s.w.Commit(ctx); err != nil {
		return Object{}, err
	}
	return Object{Name: s.name, Size: s.off, SHA256: fmt.Sprintf("%x", s.sum.Sum(nil))}, nil
}

// Source reads a container.
type Source struct {
	name   string
	r      Reader
	index  []byte // as it is stored
	raw    int64  // octets of the index, unpacked
	frames int64  // where they end
}

// OpenSource opens a container and reads its index, at most limit octets.
func OpenSource(ctx context.Context, t Target, name string, magic [8]byte, limit int64) (_ *Source, err error) {
	r, err := t.Open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Damage(name, "it is missing")
	}
	if err != nil {
		return nil, err
	}
	s := &Source{name: name, r: r}
	if err := s.open(magic, limit); err != nil {
		r.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) open(magic [8]byte, limit int64) error {
	if s.r.Size() < headerSize+trailerSize {
		return Damage(s.name, "%d octets are too few", s.r.Size())
	}
	header, err := s.read(0, headerSize)
	if err != nil {
		return err
	}
	if [8]byte(header[:8]) != magic {
		return Damage(s.name, "it does not begin as it must")
	}
	switch v := binary.LittleEndian.Uint16(header[8:]); {
	case v == 0:
		return Damage(s.name, "it has no version")
	case v > Version:
		return &Problem{Object: s.name, Err: fmt.Errorf("%w: format %d, this is %d", store.ErrVersion, v, Version)}
	}
	end, err := s.read(s.r.Size()-trailerSize, trailerSize)
	if err != nil {
		return err
	}
	off, stored, raw := binary.LittleEndian.Uint64(end), binary.LittleEndian.Uint64(end[8:]), binary.LittleEndian.Uint64(end[16:])
	if [8]byte(end[56:]) != magicEnd || off < headerSize || off > uint64(s.r.Size())-trailerSize ||
		stored != uint64(s.r.Size())-trailerSize-off {
		return Damage(s.name, "it does not end as it must")
	}
	if stored > uint64(limit) || raw > uint64(limit) {
		return &Problem{Object: s.name, Err: fmt.Errorf("%w: an index of %d octets", ErrLimit, max(stored, raw))}
	}
	s.frames, s.raw = int64(off), int64(raw)
	if s.index, err = s.read(s.frames, int64(stored)); err != nil {
		return err
	}
	if sum := sha256.Sum256(s.index); !bytes.Equal(sum[:], end[24:56]) {
		return Damage(s.name, "its index has another checksum")
	}
	return nil
}

// read returns n octets at off.
func (s *Source) read(off, n int64) ([]byte, error) {
	return s.readInto(make([]byte, n), off)
}

func (s *Source) readInto(b []byte, off int64) ([]byte, error) {
	n, err := s.r.ReadAt(b, off)
	if n == len(b) {
		return b, nil
	}
	if err == nil || err == io.EOF {
		return nil, Damage(s.name, "it ends early")
	}
	return nil, &Problem{Object: s.name, Err: err}
}

// Close closes the object.
func (s *Source) Close() error { return s.r.Close() }
