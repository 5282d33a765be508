//go:build race

package imapserver

// raceDetector: allocations are not those of a real program, and all is slow.
const raceDetector = true
