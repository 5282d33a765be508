package segment

import "runtime"

// WaitQueued waits until n bodies wait for the committer.
func WaitQueued(s *Store, n int) {
	for {
		s.queue.mu.Lock()
		waiting := len(s.queue.waiting)
		s.queue.mu.Unlock()
		if waiting >= n {
			return
		}
		runtime.Gosched()
	}
}
