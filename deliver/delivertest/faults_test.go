package delivertest_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/auth/dnsx"
	"github.com/mailstead/mailstead/deliver/delivertest"
	"github.com/mailstead/mailstead/queue"
	"github.com/mailstead/mailstead/smtp"
)

func dnsError(err error) (*dnsx.Error, bool) { return errors.AsType[*dnsx.Error](err) }

// TestDiskFull: what cannot be written is refused for now, and nothing that was
// accepted is lost or sent twice, whichever write fails.
func TestDiskFull(t *testing.T) {
	for _, method := range []string{"Put", "LeaseJobs", "Settle"} {
		t.Run(method, func(t *testing.T) {
			inWorld(t, func(w *world) {
				n := w.usual()
				n.mx1.SetScript(delivertest.To("c@dest.test", reply("550 5.1.1 Nobody")))
				stop := w.start()
				defer stop()
				full := func(m string) error {
					if m == method {
						return errDiskFull
					}
					return nil
				}
				w.send("a@dest.test")
				w.store.setFull(full)
				err := w.trySend("b@dest.test", "c@dest.test")
				if method == "Put" {
					if err == nil || smtp.IsPermanent(err) {
						t.Errorf("a full disk: %v, want a temporary error", err)
					}
					if got := smtp.ReplyOf(err); !got.Temporary() {
						t.Errorf("the reply is %v", got)
					}
				} else if err != nil {
					t.Errorf("the queue refuses: %v", err)
				}
				time.Sleep(40 * time.Minute)
				synctest.Wait()
				w.store.setFull(nil)
				if method == "Put" {
					w.send("b@dest.test", "c@dest.test")
				}
				w.settle(time.Hour)
				books := w.audit()
				if len(books) != 3 {
					t.Errorf("%d recipients in the books, want 3", len(books))
				}
				for k, e := range books {
					if e.told+len(e.failed) != 1 {
						t.Errorf("%s: %s", k.rcpt, e)
					}
				}
			})
		})
	}
}

// TestClockJumps: the clock of the queue goes a day ahead or back in the middle
// of retries. Nothing is lost or doubled, and nothing waits longer than a
// retry, counted from when the clock is right again.
func TestClockJumps(t *testing.T) {
	const day = 24 * time.Hour
	for name, jump := range map[string]time.Duration{"ahead": day, "back": -day, "ahead by a week": 7 * day} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && jump > 0 {
				t.Skip("days of looks at an idle queue; not run with -short")
			}
			inWorld(t, func(w *world) {
				n := w.usual()
				n.both(delivertest.Until(time.Now().Add(30*time.Minute), delivertest.At(delivertest.Rcpt, reply("450 4.2.1 Later"))))
				stop := w.start()
				defer stop()
				w.send("a@dest.test")
				time.Sleep(10 * time.Minute)
				w.jump(jump)
				w.send("b@dest.test")
				time.Sleep(10 * time.Minute)
				w.jump(-jump)
				w.send("c@dest.test")
				time.Sleep(12 * time.Minute)
				w.settle(6*time.Hour + max(0, jump))
				books := w.audit()
				for k, e := range books {
					ended := e.told == 1
					if jump > 5*day { // what is older than five days by the clock is given up, and its sender told
						ended = ended || len(e.failed) == 1
					}
					if !ended {
						t.Errorf("%s: %s", k.rcpt, e)
					}
				}
				if w.count(queue.EventDeferred, "a@dest.test") == 0 {
					t.Error("nothing was deferred: the clock jumped over nothing")
				}
			})
		})
	}
}

// TestDeadDestination: a destination that takes nothing costs the others
// nothing, and is asked less and less.
func TestDeadDestination(t *testing.T) {
	inWorld(t, func(w *world) {
		n := w.usual()
		n.both(delivertest.At(delivertest.Connect, hang))
		stop := w.start()
		defer stop()
		many := 300
		if testing.Short() {
			many = 60
		}
		for range many {
			w.send("a@dest.test")
		}
		start := time.Now()
		w.send("b@other.test")
		for w.count(queue.EventDelivered, "b@other.test") == 0 && time.Since(start) < time.Hour {
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(start); took > 50*time.Millisecond {
			t.Errorf("a healthy destination waited %v behind a dead one", took)
		}
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if dials := n.mx1.Dials(); dials == 0 || dials > 200 {
			t.Errorf("%d connections to a dead host in four hours for %d messages", dials, many)
		}
		n.both(nil)
		w.settle(24 * time.Hour)
		for k, e := range w.audit() {
			if e.told != 1 {
				t.Errorf("%s to %s: %s", k.message, k.rcpt, e)
			}
		}
	})
}
