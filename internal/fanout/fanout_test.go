package fanout

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

// TestEach: all are called, whoever of them panics, and the panic arrives when all
// have ended.
func TestEach(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 2, 50} {
		for bad := range max(n, 0) + 1 {
			var ended atomic.Int64
			got := caught(func() {
				Each(n, func(i int) {
					defer ended.Add(1)
					if i == bad {
						panic(fmt.Sprint("panic of ", i))
					}
				})
			})
			want := fmt.Sprint("panic of ", bad)
			if bad >= n {
				want = ""
			}
			if first, _, _ := strings.Cut(got, "\n"); first != want || int(ended.Load()) != max(n, 0) {
				t.Errorf("%d, %d: %q, %d ended", n, bad, got, ended.Load())
			}
		}
	}
}

// caught is the text of a panic, "" = there was none.
func caught(f func()) (text string) {
	defer func() {
		if v := recover(); v != nil {
			text = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}
