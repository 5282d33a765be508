package sqldb_test

import (
	"testing"

	"github.com/mailstead/mailstead/store/sqldb"
)

func TestColumns(t *testing.T) {
	var n sqldb.Number
	var s sqldb.Text
	var o sqldb.Octets
	for _, tt := range []struct {
		dest interface{ Scan(any) error }
		src  any
		ok   bool
	}{
		{&n, int64(-7), true},
		{&n, nil, false},
		{&n, "7", false},
		{&s, "text", true},
		{&s, []byte("text"), true},
		{&s, nil, false},
		{&s, int64(7), false},
		{&o, []byte("octets"), true},
		{&o, "octets", false},
		{&o, int64(7), false},
	} {
		if err := tt.dest.Scan(tt.src); (err == nil) != tt.ok {
			t.Errorf("%T into %T: %v", tt.src, tt.dest, err)
		}
	}
	if n != -7 || s != "text" || string(o) != "octets" {
		t.Errorf("scanned %d, %q, %q", n, s, o)
	}
	if err := o.Scan(nil); err != nil || o != nil {
		t.Errorf("NULL: %q, %v", o, err)
	}
}
