package sqlite_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/auth/dmarc/report/reporttest"
	"github.com/mailstead/mailstead/auth/dmarc/report/sqlreport"
)

func openReports(t *testing.T, path string, o sqlreport.Options) *sqlreport.Storage {
	t.Helper()
	s, err := sqlreport.New(t.Context(), greyDB(t, path), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDMARCReportStorage(t *testing.T) {
	reporttest.Run(t, func(t *testing.T) report.Storage {
		return openReports(t, filepath.Join(t.TempDir(), "reports.db"), sqlreport.Options{})
	})
}

// The tables are bounded; what is known is counted on.
func TestDMARCReportBounds(t *testing.T) {
	s := openReports(t, filepath.Join(t.TempDir(), "reports.db"), sqlreport.Options{MaxReports: 2, MaxRecords: 2})
	for want, list := range [][]report.Counted{
		{reporttest.Counted("a.example", 7, "192.0.2.1", 5), reporttest.Counted("a.example", 7, "192.0.2.2", 5), reporttest.Counted("b.example", 7, "192.0.2.1", 5)},
		{reporttest.Counted("a.example", 7, "192.0.2.3", 1), reporttest.Counted("a.example", 7, "192.0.2.2", 5)},
		{reporttest.Counted("c.example", 7, "192.0.2.1", 2), reporttest.Counted("b.example", 7, "192.0.2.1", 5)},
	} {
		if dropped, err := s.Add(t.Context(), list); err != nil || dropped != int64(want) {
			t.Errorf("%d dropped, want %d: %v", dropped, want, err)
		}
	}
	rep, err := s.Load(t.Context(), report.Key{Domain: "a.example", Day: 7})
	if err != nil || len(rep.Records) != 2 || rep.Records[0].Count+rep.Records[1].Count != 15 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// What Add has returned is there after the process was killed (I1).
func TestDMARCReportKill(t *testing.T) {
	const env = "DMARCREPORT_KILL"
	if path := os.Getenv(env); path != "" {
		s := openReports(t, path, sqlreport.Options{})
		for {
			if _, err := s.Add(t.Context(), []report.Counted{reporttest.Counted("a.example", 7, "192.0.2.1", 1)}); err != nil {
				t.Fatal(err)
			}
			fmt.Println("added")
		}
	}
	path := filepath.Join(t.TempDir(), "reports.db")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDMARCReportKill$")
	child.Env = append(os.Environ(), env+"="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if n++; n == 20 {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait()
	rep, err := openReports(t, path, sqlreport.Options{}).Load(t.Context(), report.Key{Domain: "a.example", Day: 7})
	if err != nil || rep == nil || len(rep.Records) != 1 || rep.Records[0].Count < n || rep.Records[0].Count > n+1 || n < 20 {
		t.Errorf("%d were said to be added: %+v, %v", n, rep, err)
	}
}
