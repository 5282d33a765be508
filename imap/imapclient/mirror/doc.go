// Package mirror keeps a local picture of remote mailboxes in step: which
// messages each holds and what flags they have.
//
//	st := &mirror.State{}                  // or one that was saved
//	_ = st.UnmarshalBinary(saved)
//	res, err := mirror.Sync(ctx, client, "INBOX", st, mirror.Options{Changed: func(ch mirror.Change) error { ... }})
//	saved, _ = st.MarshalBinary()
//
// # The ladder
//
// How changes are found is chosen for each server and each mailbox, from the
// cheapest way down:
//
//   - QResync: SELECT names the state that is known and is answered by what has
//     changed and vanished (RFC 7162 §3.2.5).
//   - CondStore: FETCH CHANGEDSINCE finds flags and new messages (§3.1.4.1), a
//     difference of UIDs what is gone, if the number of messages tells so.
//   - Difference: all UIDs and flags are asked for and compared.
//
// A mailbox with NOMODSEQ, or with HIGHESTMODSEQ 0, goes to the last rung by
// itself, a server by its quirks (package quirk). A rung that the server
// refuses, or whose result contradicts what the server says of the mailbox (the
// number of messages, a mod-sequence or UIDNEXT that went back), is followed by the difference at
// once. So a picture that has gone wrong heals at the next Sync.
//
// # Invariants
//
//	M1  The flags of each message in a State are those of a moment at which the
//	    mailbox had reached State.ModSeq, or later. Messages may be missing.
//	M2  A change is told (Options.Changed) before the State has it. Who saves the
//	    State when Checkpoint or Sync says so, misses no change across a crash; the last ones may be told
//	    twice.
//	M3  UIDs of two UIDVALIDITY values never meet: a new one is told as Reset, and
//	    the picture begins empty. Without any UIDVALIDITY each Sync is a Reset.
//	M4  A State takes memory by the number of runs (messages with neighbouring UIDs
//	    and equal flags) and of different sets of flags, within Options.MaxMessages
//	    and MaxFlagBytes. Nothing else grows with the mailbox.
//
// # Crash table
//
//	broken off                        next time
//	before the first batch            as if nothing had happened
//	between batches                   what is in the saved State is not asked for again, the rest is
//	between Changed and Checkpoint    the batch is told again
//
// # RFCs
//
//	RFC 7162  CONDSTORE, QRESYNC          the client's side; sequence match data is not sent
//	RFC 9051  §6.3.2, §6.4.5, §7.5        SELECT, FETCH, EXPUNGE
package mirror
