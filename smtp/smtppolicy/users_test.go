package smtppolicy_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailstead/mailstead/smtp"
	"github.com/mailstead/mailstead/smtp/smtppolicy"
)

func userAt(identity string) *smtp.Peer {
	p := peerAt("203.0.113.1")
	p.Identity = identity
	return p
}

func TestUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &smtppolicy.Users{
			Messages:   []smtppolicy.Rate{{N: 3, Per: time.Hour}, {N: 4, Per: 24 * time.Hour}},
			Recipients: []smtppolicy.Rate{{N: 5, Per: time.Hour}},
		}
		send := func(identity string, n int) (mail int, rcpts []int) {
			to := slices.Repeat([]string{"x@example.net"}, n)
			return offer(t, u.Limit(), userAt(identity), "a@example.org", to...)
		}
		if code, rcpts := send("alice", 2); code != 250 || !slices.Equal(rcpts, []int{250, 250}) {
			t.Errorf("first: %d %v", code, rcpts)
		}
		if code, rcpts := send("alice", 4); code != 250 || !slices.Equal(rcpts, []int{250, 250, 250, 452}) {
			t.Errorf("recipients beyond the rate: %d %v", code, rcpts)
		}
		if _, rcpts := send("alice", 1); !slices.Equal(rcpts, []int{452}) {
			t.Errorf("none left: %v", rcpts)
		}
		if _, rcpts := send("bob", 1); !slices.Equal(rcpts, []int{250}) {
			t.Errorf("another account: %v", rcpts)
		}
		if code, rcpts := send("", 9); code != 250 || slices.Contains(rcpts, 452) {
			t.Errorf("not authenticated: %d %v", code, rcpts)
		}
		time.Sleep(12 * time.Minute) // room for one recipient
		if _, rcpts := send("alice", 2); !slices.Equal(rcpts, []int{250, 452}) {
			t.Errorf("after 12 minutes: %v", rcpts)
		}
		time.Sleep(48 * time.Minute)
		if code, _ := send("alice", 1); code != 250 {
			t.Errorf("after an hour: %d", code)
		}
		if code, _ := send("alice", 1); code != 450 {
			t.Errorf("the fifth message of a day: %d", code)
		}
	})
}

// Defaults are on; what is empty has no limit; who is exempt is not counted.
func TestUsersDefaults(t *testing.T) {
	codes := func(u *smtppolicy.Users, messages int) (last int) {
		for range messages {
			last, _ = offer(t, u.Limit(), userAt("alice"), "a@example.org", "x@example.net")
		}
		return last
	}
	if got := codes(&smtppolicy.Users{}, 501); got != 450 {
		t.Errorf("the 501st message of an hour: %d", got)
	}
	if got := codes(&smtppolicy.Users{Messages: []smtppolicy.Rate{}, Recipients: []smtppolicy.Rate{}}, 501); got != 250 {
		t.Errorf("without limits: %d", got)
	}
	exempt := func(m *smtp.Mail) bool { return m.Peer.Addr.Addr().String() == "203.0.113.1" }
	if got := codes(&smtppolicy.Users{Exempt: exempt}, 501); got != 250 {
		t.Errorf("exempt: %d", got)
	}
}

// Take counts also what is beyond, but never more than a period ahead.
func TestUsersTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &smtppolicy.Users{Messages: []smtppolicy.Rate{{N: 2, Per: time.Hour}}, Recipients: []smtppolicy.Rate{{N: 10, Per: time.Hour}}}
		m := &smtp.Mail{Peer: userAt("alice")}
		for i, test := range []struct {
			recipients int
			want       bool
		}{{5, true}, {6, false}, {1000, false}} {
			if got := u.Take(m, test.recipients); got != test.want {
				t.Errorf("%d: %v", i, got)
			}
		}
		time.Sleep(time.Hour)
		if !u.Take(m, 10) {
			t.Error("an hour later nothing is left")
		}
		if !u.Take(&smtp.Mail{}, 1000) {
			t.Error("mail that starts here is judged")
		}
	})
}
