package objects

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mailstead/mailstead/store/blob"
)

// A Ref of Blobs is an ID, the size and the checksum of the whole body in
// hexadecimal: "0q8…vk.1f4a0.89abcdef". It is the object's key behind the
// prefix, too.

// named is what a Ref says.
type named struct {
	size    int64
	sum     uint32
	created time.Time
}

func makeRef(id string, size int64, sum uint32) blob.Ref {
	return blob.Ref(fmt.Sprintf("%s.%x.%08x", id, size, sum))
}

// parseRef reports what a Ref says; ok is false for one that no Blobs made.
func parseRef(ref blob.Ref) (n named, ok bool) {
	parts := strings.Split(string(ref), ".")
	if len(parts) != 3 || len(parts[0]) != idLen {
		return n, false
	}
	size, err1 := strconv.ParseInt(parts[1], 16, 64)
	sum, err2 := strconv.ParseUint(parts[2], 16, 32)
	n.created, ok = idTime(parts[0])
	n.size, n.sum = size, uint32(sum)
	ok = ok && err1 == nil && err2 == nil && size >= 0 && makeRef(parts[0], n.size, n.sum) == ref
	return n, ok
}
