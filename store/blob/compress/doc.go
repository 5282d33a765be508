// Package compress keeps blobs compressed in another blob.Blobs (zstd,
// RFC 8878): mail takes about half the room, and a reader of a part reads and
// decompresses only that part.
//
//	z, err := compress.New(compress.Config{Blobs: engine})
//
// A body is cut into frames of 64 KiB, each compressed on its own; a frame that
// does not become smaller is stored as it is. The index of the frames stands
// at the end, so a Writer holds one frame in memory, whatever comes.
//
// # Format
//
// A stored blob is its frames, then the index, then the trailer. Numbers are
// little-endian.
//
//	frame    a zstd frame without checksum, or the octets as they are
//	index    for each frame 4 octets length, the highest bit set where the
//	         octets are as they are, and 4 octets CRC-32C of what is stored
//	trailer  8 octets  length of the content
//	         4 octets  number of frames
//	         4 octets  CRC-32C of the index and the rest of the trailer
//	         1 octet   log2 of the length of a frame's content
//	         2 octets  zero
//	         1 octet   version of the format, 1
//	         4 octets  "mszb"
//
// # Refs, and blobs from before
//
// A Ref of this package is "~" and the Ref below. No engine makes Refs that
// begin so, and therefore no blob is ever taken for what it is not: a Ref
// without the mark is looked for in Config.Old, a blob store that was used
// without this package, and a program that runs without it does not find the
// marked ones. Old is read, listed and collected, and never written; it must
// not be the same store as Config.Blobs, since a listing could not tell whose
// blob is whose.
//
// # Invariants
//
//   - I1: those of package blob, with the durability of the store below.
//   - I2: octets are given out only if they are those that were written, as far
//     as CRC-32C tells: each frame is checked before it is decompressed. All
//     else is ErrCorrupt, a newer format ErrVersion.
//   - I3: what is stored cannot make a reader use more memory than two frames
//     and an index of 2^20 frames: a frame never decompresses to more than its
//     place in the content, and the index never exceeds what is stored.
//   - I4: Info.Size in a listing is what is stored. Blob.Size is the length of
//     the content.
//
// # Under encryption
//
// Compression comes first, then encryption: ciphertext does not become smaller.
// Put this package above the encrypted Blobs; keys of blobs (blob.Keyed) pass
// through. The length of what is stored then tells how well a message
// compresses. Who can send mail to an account, and sees the stored length of a
// message that holds both his text and a secret, could guess the secret by
// trying: a stored message is written by one sender, so that asks for a sender
// who quotes both. Leave compression away where this matters.
//
// # Locks
//
// A reader has one lock for the frame that it keeps. Nothing is locked while
// code of the caller runs.
package compress
