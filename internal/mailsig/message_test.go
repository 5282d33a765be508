package mailsig

import (
	"crypto/sha256"
	"strings"
	"sync"
	"testing"
)

// TestSharedBodies: two hashes are for all who judge a message, and those without
// l= go first, whoever wants them and whenever (G2).
func TestSharedBodies(t *testing.T) {
	m := NewMessage(0)
	var got [5]*BodyHash
	m.OnHeader(func() { got[0], got[1] = m.Body(Relaxed, 1), m.Body(Relaxed, 2) })
	m.OnHeader(func() { got[2], got[3] = m.Body(Simple, -1), m.Body(Relaxed, 1) })
	m.OnHeader(func() { got[4] = m.Body(Simple, -1) })
	for c := range strings.SplitSeq("A: b\r\n\r\ntext  x\r\n", "") {
		m.Write([]byte(c))
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { m.End(); m.Index().Cursor() })
	}
	wait.Wait()
	if got[0] != got[3] || got[2] != got[4] || got[0].Refused() || got[2].Refused() || !got[1].Refused() {
		t.Errorf("%v", got)
	}
	for i, want := range map[int]string{0: "t", 2: "text  x\r\n"} {
		if sum := sha256.Sum256([]byte(want)); string(got[i].Digest()) != string(sum[:]) {
			t.Errorf("%d is not the hash of %q", i, want)
		}
	}
	if block, ended, whole := m.Header(); string(block) != "A: b\r\n" || !ended || !whole {
		t.Errorf("%q, %v, %v", block, ended, whole)
	}
}

// A message that ends in its header has readers, too.
func TestNoBody(t *testing.T) {
	m := NewMessage(8)
	n := 0
	m.OnHeader(func() { n++ })
	m.Write([]byte("A: b\r\n"))
	if _, ended, _ := m.Header(); ended {
		t.Error("ended early")
	}
	m.End()
	m.End()
	if block, ended, whole := m.Header(); n != 1 || string(block) != "A: b\r\n" || !ended || !whole {
		t.Errorf("%d, %q, %v, %v", n, block, ended, whole)
	}
	m = NewMessage(8)
	m.Write([]byte("A: b\r\nB: c\r\n"))
	if _, ended, whole := m.Header(); !ended || whole || !m.HeaderTooLarge() {
		t.Errorf("%v, %v", ended, whole)
	}
}
