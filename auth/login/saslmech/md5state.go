package saslmech

import (
	"crypto/md5" //nolint:gosec // CRAM-MD5
	"encoding"
	"encoding/binary"
	"hash"
)

// The standard library marshals the state of an MD5 as four magic octets, the
// four words in big-endian order, the block that is not full yet, and the
// number of octets so far. TestCRAMSecret would notice another form.
const stateOffset = 4

// stateAfter returns the state of an MD5 (RFC 1321 §3.4) that has read key XOR pad, its words
// in little-endian order.
func stateAfter(key [md5.BlockSize]byte, pad byte) (state [md5.Size]byte) {
	for i := range key {
		key[i] ^= pad
	}
	h := md5.New() //nolint:gosec
	h.Write(key[:])
	marshalled := marshalState(h)
	for i := 0; i < md5.Size; i += 4 {
		binary.LittleEndian.PutUint32(state[i:], binary.BigEndian.Uint32(marshalled[stateOffset+i:]))
	}
	return state
}

// resume returns an MD5 that has read one block and come to this state. ok is
// false where the library's form is another: nothing fits then.
func resume(state [md5.Size]byte) (h hash.Hash, ok bool) {
	h = md5.New() //nolint:gosec
	h.Write(make([]byte, md5.BlockSize))
	marshalled := marshalState(h)
	for i := 0; i < md5.Size; i += 4 {
		binary.BigEndian.PutUint32(marshalled[stateOffset+i:], binary.LittleEndian.Uint32(state[i:]))
	}
	u, ok := h.(encoding.BinaryUnmarshaler)
	return h, ok && u.UnmarshalBinary(marshalled) == nil
}

// marshalState returns the state, long enough to be read in any case.
func marshalState(h hash.Hash) []byte {
	if m, ok := h.(encoding.BinaryMarshaler); ok {
		if b, err := m.MarshalBinary(); err == nil && len(b) >= stateOffset+md5.Size {
			return b
		}
	}
	return make([]byte, stateOffset+md5.Size)
}
