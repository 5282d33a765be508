package queue

// MaxCrashes is how many attempts in a row may end with their process before
// the job is held. A job with one crash less is a suspect: it is attempted
// while no other suspect is.
const MaxCrashes = 3

// suspect is from how many crashes on a job is attempted on its own.
const suspect = MaxCrashes - 1

// HoldCrashed is the Job.Hold of a job that is held for its crashes.
const HoldCrashed = "delivery crashed the process"

// Crashed notes in jobs that they were under way when their process died. Who
// kills a busy server accuses all that it did at that moment, so only a suspect
// is to blame, and only where there was no other: one of several waited for its
// turn. It returns those that are now held. For a Storage.
func Crashed(jobs ...*Job) (held []*Job) {
	suspects := 0
	for _, j := range jobs {
		if j.Crashes >= suspect {
			suspects++
		}
	}
	for _, j := range jobs {
		if j.Crashes >= suspect && suspects > 1 {
			continue
		}
		if j.crash() {
			held = append(held, j)
		}
	}
	return held
}

// panicked notes that an attempt ended in a panic, which is the job's own: the
// first makes it a suspect, the second holds it.
func (j *Job) panicked() {
	j.Crashes = max(j.Crashes, suspect-1)
	j.crash()
}

// crash counts, and holds the job that is not held for another reason.
func (j *Job) crash() (held bool) {
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
