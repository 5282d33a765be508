package program

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
)

func TestWeb(t *testing.T) {
	for _, test := range []struct {
		path            string
		loopback, ready bool
		want            int
	}{
		{"/healthz", true, false, 503},
		{"/healthz", true, true, 200},
		{"/debug/vars", false, true, 200},
		{"/debug/pprof/", true, true, 200},
		{"/debug/pprof/", false, true, 404},
		{"/debug/pprof/cmdline", false, true, 404},
		{"/", true, true, 404},
	} {
		w := NewWeb(test.loopback)
		w.Ready.Store(test.ready)
		rec := httptest.NewRecorder()
		w.server.Handler.ServeHTTP(rec, httptest.NewRequest("GET", test.path, nil))
		if rec.Code != test.want {
			t.Errorf("%+v: status %d", test, rec.Code)
		}
	}
}

// The command line may hold passwords.
func TestVars(t *testing.T) {
	rec := httptest.NewRecorder()
	NewWeb(true).server.Handler.ServeHTTP(rec, httptest.NewRequest("GET", "/debug/vars", nil))
	var doc map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%v in %s", err, rec.Body)
	}
	if _, ok := doc["cmdline"]; ok || doc["memstats"] == nil {
		t.Errorf("variables: %d, with cmdline %v", len(doc), ok)
	}
}
