//go:build !race

package imapserver

const raceDetector = false
