package queue_test

import (
	"fmt"

	"github.com/mailstead/mailstead/queue"
)

// The zero Schedule: minutes at first, then hours. Jitter is off here, so that
// the delays are the same each time.
func ExampleSchedule_Delay() {
	s := queue.Schedule{Jitter: -1}
	for n := 1; n <= 7; n++ {
		fmt.Print(s.Delay(n), " ")
	}
	// Output: 5m0s 10m0s 20m0s 40m0s 1h20m0s 2h40m0s 4h0m0s
}
