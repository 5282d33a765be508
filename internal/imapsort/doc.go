// Package imapsort reads what SORT sorts by, and writes results that are in
// another order than that of the mailbox. The order itself is made by
// [store.Sort].
//
// # RFCs
//
//	RFC 5256 §3, §5   sort criteria             full
//	RFC 5957 §4       DISPLAYFROM, DISPLAYTO    full
//	RFC 6203 §6       RELEVANCY                 in front of other criteria
//	RFC 5267 §3       results in a sequence-set full
//
// # Invariants
//
//	I1  A key comes once: one that is repeated cannot change the order.
package imapsort
