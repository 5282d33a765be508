package files

import (
	"strings"
	"testing"

	"github.com/mailstead/mailstead/smtp"
)

// A Target remembers no path that nobody is writing to.
func TestForgets(t *testing.T) {
	dir := t.TempDir()
	target := &Target{Path: func(p smtp.ForwardPath) (string, error) { return dir + "/" + p.Local, nil }}
	tx, err := target.Begin(t.Context(), &smtp.Mail{ID: "i"})
	if err != nil {
		t.Fatal(err)
	}
	for _, local := range []string{"a", "b", "a"} {
		tx.Rcpt(t.Context(), []*smtp.Recipient{{ForwardPath: smtp.ForwardPath{Path: smtp.Path{Local: local, Domain: "a.example"}}}})
	}
	statuses, err := tx.Data(t.Context(), smtp.NewBody(strings.NewReader("x\r\n"), -1))
	if err != nil || len(statuses) != 3 || statuses[0].Err != nil || statuses[2].Err != nil {
		t.Fatalf("%v, %v", statuses, err)
	}
	if len(target.open) != 0 {
		t.Errorf("%d paths are kept", len(target.open))
	}
}
