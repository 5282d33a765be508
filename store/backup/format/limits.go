package format

import "math"

// Limits bound what a reader takes from an archive, which may be damaged or
// hostile. Zero means the default, negative none.
type Limits struct {
	Manifest int64 // octets of a manifest; 256 MiB
	Index    int64 // octets of an index of a log or pack, unpacked; 256 MiB
	Body     int64 // octets of one body; 4 GiB
	Chain    int   // backups from a full one to the last that builds on it; 1000
	Backups  int   // backups in an archive; 100,000
}

// The sizes of the format, in octets.
const (
	rowsBlock = 64 << 10 // a block of rows is ended when it is this long
	MaxBlock  = 8 << 20  // no block of rows is longer, unpacked
	maxWindow = 8 << 20  // of zstd
)

// WithDefaults puts the defaults in the place of zeros.
func (l Limits) WithDefaults() Limits {
	set := func(v *int64, d int64) {
		switch {
		case *v == 0:
			*v = d
		case *v < 0:
			*v = math.MaxInt64 >> 1
		}
	}
	number := func(v *int, d int) {
		switch {
		case *v == 0:
			*v = d
		case *v < 0:
			*v = math.MaxInt >> 1
		}
	}
	set(&l.Manifest, 256<<20)
	set(&l.Index, 256<<20)
	set(&l.Body, 4<<30)
	number(&l.Chain, 1000)
	number(&l.Backups, 100_000)
	return l
}
