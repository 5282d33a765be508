package store_test

import (
	"fmt"

	"github.com/mailstead/mailstead/store"
)

// A set of UIDs is kept as ranges, however many there are.
func ExampleUIDSet() {
	var s store.UIDSet
	s.AddRange(1, 1_000_000)
	s.AddSet(store.UIDs(2_000_000, 2_000_001))
	s = s.Minus(store.UIDs(7))
	fmt.Println(s, s.Len(), s.Contains(7))
	// Output: 1:6,8:1000000,2000000:2000001 1000001 false
}
