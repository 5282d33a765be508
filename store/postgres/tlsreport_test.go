package postgres_test

import (
	"testing"

	"github.com/mailstead/mailstead/auth/mtasts/mtaststest"
	"github.com/mailstead/mailstead/auth/mtasts/sqlsts"
	"github.com/mailstead/mailstead/auth/tlsrpt"
	"github.com/mailstead/mailstead/auth/tlsrpt/sqltlsrpt"
	"github.com/mailstead/mailstead/auth/tlsrpt/tlsrpttest"
)

func TestTLSReportStorage(t *testing.T) {
	tlsrpttest.Run(t, func(t *testing.T) tlsrpt.Storage {
		s, err := sqltlsrpt.New(t.Context(), fresh(t).engine.DB(), sqltlsrpt.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestPolicyStore(t *testing.T) {
	s, err := sqlsts.New(t.Context(), fresh(t).engine.DB())
	if err != nil {
		t.Fatal(err)
	}
	mtaststest.Judge(t, s)
}
