package login

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Invariant I4: no way of printing shows the text, also inside other types.
func TestPasswordRedacted(t *testing.T) {
	p := NewPassword("hunter2")
	type hidden struct{ p Password }
	for _, v := range []any{p, &p, Attempt{Password: p}, &Attempt{Password: p}, hidden{p}, []Password{p}, map[string]Password{"a": p}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%t", "%p"} {
			got := fmt.Sprintf(verb, v)
			if strings.Contains(got, "hunter2") || strings.Contains(strings.ToLower(got), "68756e746572") || strings.Contains(got, "104 117") {
				t.Errorf("%s of %T: %s", verb, v, got)
			}
		}
		if got, err := json.Marshal(v); strings.Contains(string(got), "hunter2") {
			t.Errorf("JSON of %T: %s, %v", v, got, err)
		}
	}
	if p.Reveal() != "hunter2" || (Password{}).Reveal() != "" {
		t.Error("Reveal does not")
	}
	if p.String() != redacted || p.GoString() != redacted || p.LogValue().String() != redacted {
		t.Error("not redacted")
	}
}
