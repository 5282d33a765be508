package mime

import "math"

// Defaults of [Limits].
const (
	DefaultMaxDepth  = 100
	DefaultMaxParts  = 10_000
	DefaultMaxHeader = 256 << 10

	// MaxParams is the number of parameters of a field that are read; those
	// behind are absent.
	MaxParams = 100
	// MaxLanguages is the number of tags of a Content-Language that are read;
	// those behind are absent.
	MaxLanguages = 100
	// MaxAddresses is the number of addresses, or ends of groups, that an
	// ENVELOPE has of one field. BODY[HEADER] has them all.
	MaxAddresses = 1000
	// MaxNestedAddresses is the number of those that the ENVELOPEs of all
	// messages within a message have together: two octets of an address list
	// are fifty of a BODYSTRUCTURE.
	MaxNestedAddresses = 50_000

	// depthCap bounds Limits.MaxDepth also where it is set to none: the forms
	// are written recursively.
	depthCap = 1000
	// maxBoundary is the longest boundary that is looked for; RFC 2046 §5.1.1
	// allows 70 octets, a line 998. A longer one never matches.
	maxBoundary = 998
)

// Limits bound what Walk looks into. What lies beyond is not an error: it is
// part of an opaque leaf. 0 means the default, negative none.
type Limits struct {
	// MaxDepth is the nesting of parts. 0 = DefaultMaxDepth; more than 1,000
	// is taken as 1,000.
	MaxDepth int
	// MaxParts is the number of parts of a message. 0 = DefaultMaxParts. The
	// last part within the limit holds the rest of the message.
	MaxParts int
	// MaxHeader is the number of octets of one header block that are looked
	// at. 0 = DefaultMaxHeader. A part with a longer one is a leaf.
	MaxHeader int
}

func (l Limits) withDefaults() Limits {
	set := func(v *int, def int) {
		switch {
		case *v == 0:
			*v = def
		case *v < 0:
			*v = math.MaxInt
		}
	}
	set(&l.MaxDepth, DefaultMaxDepth)
	set(&l.MaxParts, DefaultMaxParts)
	set(&l.MaxHeader, DefaultMaxHeader)
	l.MaxDepth = min(l.MaxDepth, depthCap)
	return l
}
