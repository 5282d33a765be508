// Package watch tells what happens in remote mailboxes, as it happens, for as
// long as wanted and across broken connections.
//
//	w := &watch.Watcher{Dialer: &imapclient.Dialer{Auth: login}, Addr: "imap.example.org:993"}
//	for ev, err := range w.Events(ctx) {
//		if err != nil {
//			log.Print(err) // it goes on by itself
//			continue
//		}
//		fmt.Println(ev.Kind, ev.Mailbox, ev.UID)
//	}
//
// # How
//
// One connection holds the first mailbox selected. News come by NOTIFY for all
// mailboxes where the server offers it (RFC 5465), else by IDLE for the first
// one (RFC 2177) and by STATUS at intervals for the others, else by NOOP at intervals. News are a
// hint only: what has changed is found by package mirror, which compares what
// it knows with the mailbox, so that nothing is missed that happened while no
// connection was there, or that a server did not tell. At longer intervals it looks
// unasked.
//
// # Invariants
//
//	W1  Each change of a mailbox against the saved state is told, once by each
//	    Watcher; across a crash of the program the last ones may be told again (Save).
//	W2  While an Event is looked at, Event.Client is idle and has the mailbox of
//	    the Event selected.
//	W3  An IDLE lasts no longer than IdleMax, 29 minutes and what the server's
//	    quirks say; where connections were found dead in it, less.
//	W4  No failure makes it try more often than Backoff says. A refused password
//	    is tried again after AuthBackoff, not before.
//	W5  Events starts no goroutine that outlives it.
package watch
