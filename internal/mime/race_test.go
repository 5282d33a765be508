//go:build race

package mime

// raceDetector: allocations are not those of a real program, and all is slow.
const raceDetector = true
