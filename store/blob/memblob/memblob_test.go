package memblob_test

import (
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

func TestBlobs(t *testing.T) {
	blobtest.Run(t, blobtest.Config{New: func(*testing.T) blob.Blobs { return memblob.New() }})
}
