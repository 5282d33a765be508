package queue_test

import (
	"io"
	"testing"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/queue/memqueue"
	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtptest"
	"github.com/mailstead/mailstead/store/blob/memblob"
)

func TestQueueIsReceiver(t *testing.T) {
	smtptest.TestReceiver(t, smtptest.Suite{
		New: func(*testing.T) smtp.Receiver {
			return &queue.Queue{Storage: &memqueue.Storage{}, Blobs: memblob.New(), Router: &world{}}
		},
		Stored: func(t *testing.T, r smtp.Receiver) (all []string) {
			q := r.(*queue.Queue)
			for j, err := range q.Storage.List(t.Context(), queue.Filter{}) {
				if err != nil {
					t.Fatal(err)
				}
				b, err := q.Blobs.Open(t.Context(), j.Blob)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
				b.Close()
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, string(text))
			}
			return all
		},
	})
}
