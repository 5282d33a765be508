package recipient

import (
	"strings"
	"testing"
)

// TestHostileHeaders: headers that are made to cost time and memory have an
// answer, for a number of allocations that goes with their size.
func TestHostileHeaders(t *testing.T) {
	const size = 60 << 10
	r, err := New(Config{
		Accept: []string{"company.example"}, Trust: Trust{Received: -1},
		Rules: []Rule{{Field: "To", Regexp: `(a*)*@company\.example(b|c)*$`, To: []string{"x@company.example"}, All: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fill := func(start, text string) string {
		return start + strings.Repeat(text, (size-len(start))/len(text)-1) + "\r\n"
	}
	for name, header := range map[string]string{
		"comments":           fill("To: ", "("),
		"closed comments":    fill("To: ", "()"),
		"quotes":             fill("To: ", `"`),
		"backslashes":        fill("To: ", `"\`),
		"brackets":           fill("To: ", "<"),
		"at signs":           fill("To: ", "a@"),
		"dots":               fill("To: ", "a. @ "),
		"colons":             fill("To: ", "a:;"),
		"commas":             fill("To: ", ","),
		"spaces":             fill("To: ", " "),
		"folds":              fill("To: x", "\r\n "),
		"addresses":          fill("To: ", "a@company.example,"),
		"foreign addresses":  fill("To: ", "a@b.c,"),
		"no commas":          fill("To: ", "a@b.c "),
		"deep domains":       fill("To: ", "a@"+strings.Repeat("a.", 120)+"b,"),
		"A-labels":           fill("To: ", "a@xn--"+strings.Repeat("a", 200)+"-0ca.x,"),
		"U-labels":           fill("To: ", "a@"+strings.Repeat("ü", 120)+","),
		"short U-labels":     fill("To: ", "a@ü,"),
		"words":              fill("To: ", "=?utf-8?q?a?= "),
		"fields":             fill("", "To:a@company.example\r\n"),
		"empty fields":       fill("", "To:\r\n"),
		"received":           fill("", "Received: by x for a@b.c\r\n"),
		"received comments":  fill("Received: ", "("),
		"received words":     fill("Received: by x for ", "a@b.c "),
		"received quotes":    fill("Received: by x for ", `""`),
		"envelope":           fill("", "X-Envelope-To: a@b.c\r\n"),
		"delivered":          fill("", "Delivered-To: a@b.c\r\n"),
		"resent":             fill("", "Resent-To: a@b.c\r\n"),
		"no colon":           fill("", "a"),
		"lines of no fields": fill("", "a\r\n"),
		"pattern":            fill("To: ", "aaaaaaaa"),
	} {
		allocs := testing.AllocsPerRun(1, func() {
			got, err := r.Find(t.Context(), []byte(header))
			if err != nil || len(got.Recipients) > r.maxRecipients {
				t.Errorf("%s: %d recipients, %v", name, len(got.Recipients), err)
			}
		})
		if allocs > 4*size {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
}
