package queue

import (
	"io"
	"testing"

	"github.com/mailstead/mailstead/queue/schedule"
	"github.com/mailstead/mailstead/smtp"
)

// TestReach: what results say of the destination.
func TestReach(t *testing.T) {
	here := resultOf(smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, "suppressed"), "")
	there := resultOf(smtp.Errorf(550, smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, "no"), "mx")
	broken := resultOf(io.ErrUnexpectedEOF, "mx")
	busy := resultOf(smtp.Errorf(421, smtp.EnhancedCode{Class: 4, Subject: 3, Detail: 2}, "later"), "mx")
	full := resultOf(smtp.Errorf(452, smtp.EnhancedCode{Class: 4, Subject: 2, Detail: 2}, "full"), "mx")
	taken := Result{State: Delivered, NextHop: "mx"}
	tests := []struct {
		name    string
		results []Result
		want    schedule.Outcome
	}{
		{"refused here", []Result{here, here}, schedule.Neutral},
		{"refused here and there", []Result{here, there}, schedule.Reached},
		{"refused here, the rest lost", []Result{here, broken}, schedule.Missed},
		{"lost, the rest refused here", []Result{broken, here}, schedule.Missed},
		{"busy", []Result{busy}, schedule.Missed},
		{"one is full", []Result{full}, schedule.Reached},
		{"one was taken", []Result{broken, taken}, schedule.Reached},
		{"unknown", []Result{{State: Unknown, NextHop: "mx"}}, schedule.Missed},
		{"none", nil, schedule.Neutral},
	}
	for _, tt := range tests {
		if got := reach(tt.results); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
