package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailstead/mailstead/store"
	"github.com/mailstead/mailstead/store/postgres"
	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

// BenchmarkDeliver is a durable delivery: state, facts, log, thread and
// idempotency key, on a server that syncs.
func BenchmarkDeliver(b *testing.B) {
	s := pgtest.Start(b)
	for _, c := range []struct{ writers, accounts, nodes, committers int }{
		{1, 1, 1, 1},
		{20, 20, 1, 1},
		{20, 20, 1, 4},
		{200, 200, 1, 1},
		{200, 200, 1, 4},
		{200, 200, 1, 8},
		{200, 200, 2, 4},
		{200, 1, 1, 4},
		{200, 1, 2, 4},
	} {
		name := fmt.Sprintf("writers=%d/accounts=%d/nodes=%d/committers=%d", c.writers, c.accounts, c.nodes, c.committers)
		b.Run(name, func(b *testing.B) {
			dsn := pgtest.Database(b, s)
			var nodes []*opened
			for range c.nodes {
				nodes = append(nodes, open(b, dsn, refBlobs{}, safe, func(o *postgres.Options) { o.Committers = c.committers }))
			}
			benchDeliver(b, nodes, c.writers, c.accounts)
		})
	}
}

func benchDeliver(b *testing.B, nodes []*opened, writers, accounts int) {
	var ops []store.Append
	for n := range accounts {
		_, inbox := account(b, nodes[0], store.AccountID(fmt.Sprint("a", n)))
		op := appendTo(b, refBlobs{}, inbox, "a body")
		op.Meta, op.Prefix = make([]byte, 700), make([]byte, 200)
		ops = append(ops, op)
	}
	took := make([]time.Duration, b.N)
	var n atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for i := range writers {
		a, err := nodes[i%len(nodes)].Open(b.Context(), store.AccountID(fmt.Sprint("a", i%accounts)))
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			for {
				k := n.Add(1)
				if k > int64(b.N) {
					return
				}
				op := ops[i%accounts]
				op.EmailID, op.ThreadKeys, op.SubjectHash = store.NewEmailID(), []uint64{uint64(k) * 0x9e3779b97f4a7c15}, uint64(k)
				start := time.Now()
				if _, err := a.Apply(context.Background(), store.Change{Once: fmt.Sprint("q", k), Ops: []store.Op{op}}); err != nil {
					b.Error(err)
					return
				}
				took[k-1] = time.Since(start)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
	commits := int64(0)
	for _, node := range nodes {
		commits += node.engine.DB().Stats().Commits
	}
	b.ReportMetric(float64(b.N)/float64(commits), "msg/commit")
}
