// Package inflate decodes DEFLATE streams (RFC 1951) of peers that wait for an
// answer: what the octets so far say is handed out at once, and nothing behind
// it is asked for.
//
// A [Decoder] reads from nowhere. It is given octets as they came and gives back
// what they inflate to, so that a reader may be interrupted in the middle of a
// block, a code or a match, and go on.
//
// # Glossary
//
//   - code, symbol, block, window: as in RFC 1951.
//   - match: a length and a distance, which stand for octets of the window.
//   - flush point: where a compressor stops so that its peer can inflate all that
//     it has written: behind an empty block. zlib's Z_SYNC_FLUSH writes a stored
//     one; its Z_PARTIAL_FLUSH one of the fixed code, and keeps up to seven bits of
//     that back.
//
// # Invariants
//
//   - I1: An octet is handed out by the call that was given the last bit of its
//     code, of its match, or of itself, if there is room.
//   - I2: An octet of the input is taken only when the bits before it do not
//     complete what is being decoded. None behind the end of the stream is.
//   - I3: What zlib's inflate refuses is refused: an unknown type of block, a length
//     and its complement that differ, too many symbols, a code that is
//     oversubscribed or incomplete (but for a single code of one bit), no code for
//     the end of a block, a distance beyond what was written.
//   - I4: A Decoder holds what the peer may refer back to, 32 KiB at most, and in the
//     middle of a block with dynamic codes their tables: MaxMemory together. The time for
//     an octet of input or output is bounded.
package inflate
