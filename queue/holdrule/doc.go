// Package holdrule holds messages by rules that an operator edits while the
// server runs: what a broken program sends, what a customer is suspected of, all
// mail to a domain that moves. A rule is data in the queue's entries, so it
// survives a restart, and every node follows it within two seconds.
//
// [Rules.Admit] is a value for queue.Queue.Admit, or one of those of
// queue.Admissions. What a rule selects is accepted and held with the rule's
// reason, and told of by queue.EventHeld; an operator releases it, or drops it.
// Jobs that are in the queue already are not touched.
//
// # Invariants
//
//   - H1: A message is judged by the rules that are known when it is accepted, at
//     most a second old. Where they cannot be read, it is refused for now (451).
//     A rule that is damaged holds nothing, and is logged: it stops no mail.
//   - H2: There are at most MaxRules; they are in memory.
package holdrule
