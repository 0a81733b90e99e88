package dualprocess

// Waiting is the number of requests in the sampler's queue.
func (s *Sampler) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}
