// Package budget bounds what each user sends: messages and recipients, in an
// hour and in a day. An account whose password was stolen is noticed by what it
// sends; its owner loses nothing, for what is over the budget is accepted and
// held with the reason, and an operator releases or drops it.
//
// [Budget.Admit] is a value for queue.Queue.Admit, or one of those of
// queue.Admissions. It counts for queue.Job.Identity; what no account submitted
// is not counted. A message that is held, by a budget or before by something
// else, does not count, so that a user over an hour's budget sends again as the
// hour goes on; queue.EventHeld tells of each of its jobs. Nor do copies and
// reports with the null sender count that an intake adds (intake.Message.Extra).
//
// # Counting
//
// The counts are entries of the queue, one for each identity, hour and node, and
// are written in the commit that puts the message: a restart resets nothing, and
// there is no further sync. "In an hour" is the count of this hour of the clock
// and, of that before, the share that the last 60 minutes have of it; "in a day"
// is that of 24 hours likewise. A message that was admitted and could not be put
// counts in the memory of its node all the same. Other nodes' counts are read when an identity is
// seen first, and each Every after that, so that with n nodes up to n times what
// is sent in that time may pass.
//
// # Invariants
//
//   - B1: The counts of what was put are as durable as the jobs.
//   - B2: A message is put or held as a whole.
//   - B3: Memory is bounded by MaxKnown identities.
//   - B4: Where the counts cannot be read the message is refused for now (451).
package budget
