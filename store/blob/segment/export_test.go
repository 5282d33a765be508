package segment

// WaitQueued waits until n bodies wait for the committer, which must be busy.
func WaitQueued(s *Store, n int) {
	s.queue.mu.Lock()
	defer s.queue.mu.Unlock()
	for len(s.queue.waiting) < n {
		s.queue.changed.Wait()
	}
}
