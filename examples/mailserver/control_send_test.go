package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mailstead/mailstead/examples/internal/answer"
	"github.com/mailstead/mailstead/store/control"
)

// TestControlSend queues a message of the operator once, whoever it is from, and
// says whom it refuses.
func TestControlSend(t *testing.T) {
	s, c := controlled(t, "-user", "alice@example.org:x")
	file := filepath.Join(t.TempDir(), "m.eml")
	if err := os.WriteFile(file, []byte("Subject: hi\r\nBcc: eve@example.net\r\n\r\nhello\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := answer.SendRequest{
		File: file, From: "ann@example.net", ID: "m1",
		To: []string{"alice@example.org", "nobody@example.org", "bob@example.net"},
	}
	for range 2 { // the second does nothing
		var out answer.Queued
		if code := asks(t, c, "POST", "/v1/queue/send", in, &out); code != "" {
			t.Fatal(code)
		}
		if len(out.Recipients) != 3 || out.Recipients[0].Refused != "" || out.Recipients[2].Refused != "" ||
			!out.Recipients[1].Permanent || !strings.HasPrefix(out.Recipients[1].Refused, "550 5.1.1") {
			t.Errorf("%+v", out)
		}
	}
	st, err := s.engine.queue.Stats(t.Context())
	if err != nil || st.Jobs != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	for what, in := range map[string]fields{
		"relative":     {"file": "m.eml", "from": "", "id": "x", "to": []string{"alice@example.org"}},
		"no file":      {"file": file + "x", "from": "", "id": "x", "to": []string{"alice@example.org"}},
		"a directory":  {"file": filepath.Dir(file), "from": "", "id": "x", "to": []string{"alice@example.org"}},
		"no id":        {"file": file, "from": "", "to": []string{"alice@example.org"}},
		"id":           {"file": file, "from": "", "id": "a\nb", "to": []string{"alice@example.org"}},
		"nobody":       {"file": file, "from": "", "id": "x", "to": []string{}},
		"no recipient": {"file": file, "from": "", "id": "x", "to": []string{"alice"}},
		"no sender":    {"file": file, "from": "alice", "id": "x", "to": []string{"alice@example.org"}},
	} {
		if code := asks(t, c, "POST", "/v1/queue/send", in, nil); code != control.CodeBadRequest {
			t.Errorf("%s: code %q", what, code)
		}
	}
}
