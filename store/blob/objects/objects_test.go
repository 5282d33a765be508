package objects_test

import (
	"testing"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/blobtest"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/blob/objects/objecttest"
)

func TestMem(t *testing.T) {
	objecttest.Run(t, func(*testing.T) objects.Lister { return new(objecttest.Mem) })
}

func TestBlobs(t *testing.T) {
	stores := map[blob.Blobs]*objecttest.Mem{}
	open := func(t *testing.T, m *objecttest.Mem) blob.Blobs {
		b := objects.NewBlobs(m, "blobs/", objects.Options{TempDir: t.TempDir()})
		stores[b] = m
		return b
	}
	blobtest.Run(t, blobtest.Config{
		New:    func(t *testing.T) blob.Blobs { return open(t, new(objecttest.Mem)) },
		Reopen: func(t *testing.T, b blob.Blobs) blob.Blobs { return open(t, stores[b]) },
	})
}
