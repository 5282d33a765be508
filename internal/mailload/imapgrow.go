package main

import "fmt"

// growStep is how many messages one COPY takes at most.
const growStep = 50_000

// grow copies messages of the mailbox into it until it holds -n: a large one is
// there in seconds.
func (l *imapLoad) grow(r *result) error {
	c, exists, err := l.selected()
	if err != nil {
		return err
	}
	defer c.Close()
	if exists == 0 {
		return fmt.Errorf("%s is empty", l.mailbox)
	}
	m := l.srv.start()
	begun := exists
	for exists < l.n {
		k := min(exists, l.n-exists, growStep)
		if err := c.command(fmt.Sprintf("COPY 1:%d %s", k, l.mailbox), nil); err != nil {
			return err
		}
		exists += k
	}
	m.stop(r, int64(exists-begun))
	n, err := c.sel("SELECT", l.mailbox)
	if err == nil && n != exists {
		err = fmt.Errorf("EXISTS %d, want %d", n, exists)
	}
	return err
}
