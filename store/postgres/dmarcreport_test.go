package postgres_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dmarc/report/reporttest"
	"github.com/mailstead/mailstead/auth/dmarc/report/sqlreport"
)

func TestDMARCReportStorage(t *testing.T) {
	reporttest.Run(t, func(t *testing.T) report.Storage {
		s, err := sqlreport.New(t.Context(), fresh(t).engine.DB(), sqlreport.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// Two nodes count for the same new reports at once, in different order.
func TestDMARCReportNodes(t *testing.T) {
	first := fresh(t)
	second := open(t, first.dsn, first.blobs)
	var nodes []*sqlreport.Storage
	for _, o := range []*opened{first, second} {
		s, err := sqlreport.New(t.Context(), o.engine.DB(), sqlreport.Options{})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, s)
	}
	const rounds, reports = 10, 5
	var all sync.WaitGroup
	for n, s := range nodes {
		all.Go(func() {
			for round := range rounds {
				var list []report.Counted
				for i := range reports {
					list = append(list, reporttest.Counted(fmt.Sprintf("%c.example", 'a'+i), report.Day(1+round), "192.0.2.1", 1))
				}
				if n == 1 {
					slices.Reverse(list)
				}
				if dropped, err := s.Add(t.Context(), list); err != nil || dropped != 0 {
					t.Errorf("%d dropped, %v", dropped, err)
				}
			}
		})
	}
	all.Wait()
	keys, err := nodes[0].Due(t.Context(), 100, report.Key{}, 100)
	if err != nil || len(keys) != rounds*reports {
		t.Errorf("%d reports, %v", len(keys), err)
	}
	for _, key := range keys {
		if rep, err := nodes[1].Load(t.Context(), key); err != nil || len(rep.Records) != 1 || rep.Records[0].Count != 2 {
			t.Errorf("%v: %+v, %v", key, rep, err)
		}
	}
}
