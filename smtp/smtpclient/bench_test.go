package smtpclient_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/smtp/smtpclient"
	"github.com/mailstead/mailstead/smtp/smtptest"
)

// BenchmarkPool sends messages to one server, 20 at a time, each with 2 ms before the
// next one, as a queue that settles.
func BenchmarkPool(b *testing.B) {
	srv := smtptest.NewServer(b)
	p := &smtpclient.Pool{}
	defer p.Close()
	key := smtpclient.Key{Addr: srv.Addr}
	var dials, n atomic.Int64
	send := func() error {
		c, err := p.Get(b.Context(), key, func(ctx context.Context) (*smtpclient.Client, error) {
			dials.Add(1)
			return (&smtpclient.Dialer{Hello: "client.example"}).Dial(ctx, "tcp", srv.Addr)
		})
		if err != nil {
			return err
		}
		defer p.Put(key, c)
		_, err = c.Send(b.Context(), envelope(b, "a@example.org", "b@example.org"), body("Subject: x\r\n\r\ntext\r\n"))
		return err
	}
	b.ReportAllocs()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for n.Add(1) <= int64(b.N) {
				if err := send(); err != nil {
					b.Error(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(dials.Load())/float64(b.N), "dials/op")
}
