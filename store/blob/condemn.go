package blob

import "context"

// Condemner is implemented by Blobs from which a Ref can be taken away without
// a race against those who adopt it ([Adopter]). The [Collector] uses it:
//
//	collector                          who adopts
//	holders: nobody has it
//	Condemn: marks it                  before: waited for, the next step sees it
//	holders: nobody has it             from here on: takes the mark away
//	Delete: where the mark still is    after: ErrNoBlob
//
// A mark hinders nobody, so what a collector leaves behind that dies in the
// middle is harmless. Of two collectors that mark one blob the later one may
// delete it.
type Condemner interface {
	// Condemn marks those of refs that are there. When it returns, every
	// adoption that came before is committed or undone.
	Condemn(ctx context.Context, refs ...Ref) (Condemned, error)
}

// Condemned is what one Condemn marked.
type Condemned interface {
	// Delete removes those of refs that still have this mark, as
	// Blobs.Delete does, and returns them. The others were adopted, marked
	// by somebody else, or deleted meanwhile.
	Delete(ctx context.Context, refs ...Ref) ([]Ref, error)
}
