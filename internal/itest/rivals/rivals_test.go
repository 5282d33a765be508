package main

import (
	"bytes"
	"testing"
)

// TestKeepers: without a power cut every rival keeps what it said, and knows
// what it was never given.
func TestKeepers(t *testing.T) {
	for _, r := range rivals {
		t.Run(r.name, func(t *testing.T) {
			dir := t.TempDir()
			for round := range uint64(2) {
				k, err := r.open(dir)
				if err != nil {
					t.Fatal(err)
				}
				for id := range uint64(10) {
					if err := k.put(10*round+id, message(10*round+id)); err != nil {
						t.Fatal(err)
					}
				}
				for id := range 10*round + 10 {
					if got, err := k.get(id); err != nil || !bytes.Equal(got, message(id)) {
						t.Errorf("message %d: %d octets, %v", id, len(got), err)
					}
				}
				if got, err := k.get(1000); got != nil || err != nil {
					t.Errorf("a message that was never stored: %d octets, %v", len(got), err)
				}
				if err := k.close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
