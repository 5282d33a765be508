package queue

// MaxCrashes is how many attempts in a row may end with their process, or in a
// panic, before the job is held.
const MaxCrashes = 2

// HoldCrashed is the Job.Hold of a job that is held for its crashes.
const HoldCrashed = "delivery crashed twice"

// Crash notes that an attempt ended without an outcome: its process died, or
// delivery panicked. The job is held where that happened MaxCrashes times in a
// row, unless it is held for another reason; then held is true. For a Storage.
func (j *Job) Crash() (held bool) {
	j.Crashes++
	if j.Crashes < MaxCrashes || j.Hold != "" {
		return false
	}
	j.Hold = HoldCrashed
	return true
}

// BounceDestination is where jobs go that an operator bounces. No Router is
// asked for them, and no limit of a destination keeps them.
const BounceDestination = "bounce:"
