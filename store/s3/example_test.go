package s3_test

import (
	"context"
	"log"

	"github.com/mailstead/mailstead/store/blob"
	"github.com/mailstead/mailstead/store/blob/objects"
	"github.com/mailstead/mailstead/store/s3"
	"github.com/mailstead/mailstead/store/sqlblob"
	"github.com/mailstead/mailstead/store/sqldb"
)

// A bucket alone keeps the bodies of one process.
func Example() {
	c, err := s3.Parse("s3://ACCESS:SECRET@s3.example.com/mail?region=eu-central-1")
	if err != nil {
		log.Fatal(err)
	}
	bucket, err := s3.New(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	var bodies blob.Blobs = objects.NewBlobs(bucket, "bodies/", objects.Options{})
	_ = bodies
}

// Several nodes share a bucket and a catalogue in their database. This is the
// form that postgres.Options.OpenBlobs has.
func Example_nodes() {
	bucket := s3.Config{Endpoint: "s3.example.com", Bucket: "mail"} // credentials of the environment
	_ = func(ctx context.Context, db *sqldb.DB) (blob.Blobs, error) {
		s, err := s3.New(ctx, bucket)
		if err != nil {
			return nil, err
		}
		return sqlblob.New(ctx, db, s, sqlblob.Options{})
	}
}
