package blob_test

import (
	"context"
	"fmt"
	"log"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

// holdNothing stands for a queue or a store without messages.
type holdNothing struct{}

func (holdNothing) Holds(context.Context, []blob.Ref) ([]blob.Ref, error) { return nil, nil }

func ExampleCollector() {
	c := blob.Collector{
		Blobs:   memblob.New(),
		Holders: []blob.Holder{holdNothing{}}, // every store, queue, backup and hold
	}
	st, err := c.Collect(context.Background())
	if err != nil {
		log.Print(err)
	}
	fmt.Printf("%d of %d deleted\n", st.Deleted, st.Seen)
	// Output: 0 of 0 deleted
}
