package queue_test

import (
	"testing"
	"time"

	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func TestShape(t *testing.T) {
	inWorld(t, func(w *world) {
		w.send("a@old.example")
		pass(12 * time.Minute)
		w.send("b@old.example")
		w.send("c@new.example")
		pass(48 * time.Hour)
		w.send("d@old.example")
		rows, err := queue.Shape(t.Context(), w.store, queue.Filter{}, queue.ByDestination, time.Now(), 1)
		want := queue.ShapeRow{Key: "old.example", Total: 3}
		want.Ages[0], want.Ages[queue.ShapeColumns-1] = 1, 2
		if err != nil || len(rows) != 1 || rows[0] != want {
			t.Errorf("got %+v, %v; want %+v", rows, err, want)
		}
		rows, err = queue.Shape(t.Context(), w.store, queue.Filter{}, queue.BySender, w.start.Add(15*time.Minute), 0)
		if err != nil || len(rows) != 1 || rows[0].Total != 4 || rows[0].Key != "<alice@example.org>" && rows[0].Key != "alice@example.org" || rows[0].Ages[2] != 1 || rows[0].Ages[0] != 3 {
			t.Errorf("by sender %+v, %v", rows, err)
		}
	})
}

// What is greylisted comes back soon, a few times; then the usual delays are.
func TestGreylisted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.take = answer(smtp.Errorf(450, smtp.EnhancedCode{Class: 4, Subject: 7, Detail: 1}, "Greylisted, come back later"))
		w.r.Schedule.GreylistTries = 3
		defer w.run()()
		w.send("bob@example.net")
		pass(2 * time.Hour)
		w.wantTries(0, 6*time.Minute, 12*time.Minute, 18*time.Minute, 58*time.Minute)
	})
}
