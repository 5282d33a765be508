package queue

import (
	"cmp"
	"hash/fnv"
	"io"
	"slices"
	"time"
)

// Lane is the jobs of one destination that have the same priority and the same
// class of senders. A Storage keeps the jobs of a lane in the order of Due, and
// picks among lanes with Turns.
type Lane struct {
	Rank int64     // Job.Rank of its jobs
	Due  time.Time // of its first job
}

// senderClasses is over how many lanes the senders of a destination are
// spread: one who sends much delays those of the same class only.
const (
	senderBits    = 6
	senderClasses = 1 << senderBits
)

// PriorityAge is how long a job has to be due to count as one of the priority
// above, up to the highest: so none waits for ever behind those above it.
const PriorityAge = 10 * time.Minute

const maxPriority = 9 // RFC 6710 §4

// Rank names the lane of a job inside its destination: its priority, and the
// class of its sender, which is the Identity or, without one, the reverse-path.
// Lower ranks have higher priorities.
func (j *Job) Rank() int64 {
	sender := j.Identity
	if sender == "" {
		sender = FoldPath(j.ReversePath.String())
	}
	h := fnv.New32a()
	io.WriteString(h, sender)
	return -int64(j.Priority)<<senderBits + int64(h.Sum32()%senderClasses)
}

// PriorityOf is the Priority of jobs of a rank.
func PriorityOf(rank int64) int { return int(-(rank >> senderBits)) }

// standing is the priority that the first job of a lane has by now.
func (l *Lane) standing(now time.Time) int {
	p := PriorityOf(l.Rank)
	if waited := int(now.Sub(l.Due) / PriorityAge); waited > 0 {
		p = max(p, min(p+waited, maxPriority))
	}
	return p
}

// Turns takes up to n jobs from lanes: those of the highest standing first, and
// of several of the same standing from each in turn. It calls take(i, k) for up
// to k more jobs of lanes[i]; that returns how many there were, fewer than k
// when the lane has no more. turn differs from call to call, and decides who is
// first. The order of lanes may change.
func Turns(lanes []Lane, now time.Time, turn uint64, n int, take func(l Lane, k int) (int, error)) error {
	slices.SortFunc(lanes, func(a, b Lane) int {
		return cmp.Or(-cmp.Compare(a.standing(now), b.standing(now)), cmp.Compare(a.Rank, b.Rank))
	})
	for len(lanes) > 0 && n > 0 {
		same := 1
		for same < len(lanes) && lanes[same].standing(now) == lanes[0].standing(now) {
			same++
		}
		got, err := share(rotate(lanes[:same], turn), n, take)
		if err != nil {
			return err
		}
		lanes, n = lanes[same:], n-got
	}
	return nil
}

// rotate begins with a lane that turn chooses, as by chance.
func rotate(lanes []Lane, turn uint64) []Lane {
	turn = (turn + 1) * 0x9e3779b97f4a7c15
	turn = (turn ^ turn>>30) * 0xbf58476d1ce4e5b9
	first := int((turn ^ turn>>27) % uint64(len(lanes)))
	return slices.Concat(lanes[first:], lanes[:first])
}

// share takes n jobs in equal parts, then what is missing from who has more.
func share(lanes []Lane, n int, take func(Lane, int) (int, error)) (got int, err error) {
	part := max(1, n/len(lanes))
	var more []Lane
	for _, l := range lanes {
		if got == n {
			return got, nil
		}
		k := min(part, n-got)
		had, err := take(l, k)
		if err != nil {
			return got, err
		}
		if got += had; had == k {
			more = append(more, l)
		}
	}
	for _, l := range more {
		if got == n {
			break
		}
		had, err := take(l, n-got)
		if err != nil {
			return got, err
		}
		got += had
	}
	return got, nil
}
