package segment_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/mailstead/mailstead/store/blob/segment"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "blobs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := segment.Open(ctx, dir, segment.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	w, err := s.Create(ctx, -1)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Abort() // no effect after Commit
	fmt.Fprintf(w, "Subject: hello\r\n\r\n")
	ref, err := w.Commit(ctx) // durable when it returns
	if err != nil {
		log.Fatal(err)
	}

	b, err := s.Open(ctx, ref)
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d octets: %q\n", b.Size(), text)
	// Output: 18 octets: "Subject: hello\r\n\r\n"
}
