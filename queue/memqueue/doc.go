// Package memqueue is the least queue.Storage: everything in memory, every
// look a walk over all jobs. It says what a Storage means, for tests and for
// the author of another one; a restart of the process loses it.
package memqueue
