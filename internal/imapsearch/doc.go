// Package imapsearch evaluates search keys over a mailbox. A search is a
// [Program]: nodes in a list, evaluated with three values (proved, refuted,
// unknown), so that what is cheap decides first. The view is asked for all
// messages, 64 at a time, the store's facts for those that are still in doubt,
// and the octets of a message only for the leaves that can still change the
// outcome.
//
// Texts match as substrings without regard to case, once encoded words,
// transfer encodings and charsets are taken off. A [Parser] reads a program from
// the wire; it knows no session. Sequence numbers and the saved result mean
// nothing until [Program.Bind].
//
// # RFCs
//
//	RFC 3501 §6.4.4   SEARCH: keys, matching      full
//	RFC 4731 §3.1     RETURN: the result options   full
//	RFC 5032 §2       OLDER, YOUNGER               full
//	RFC 5182 §2       "$", SAVE                    full
//	RFC 5267 §4       CONTEXT, UPDATE, PARTIAL     the syntax
//	RFC 6203 §3       FUZZY                        all words, in any order
//	RFC 7162 §3.1.5   MODSEQ                       full
//	RFC 8474 §6       EMAILID, THREADID            full
//	RFC 8514 §4.3     the save date                full
//	RFC 9394 §3.1     PARTIAL                      full
//	RFC 9738 §3.2     UIDAFTER, UIDBEFORE          full, always
//
// # Invariants
//
//	I1  An operator stands behind its operands: neither evaluation nor the
//	    parser recurses.
//	I2  A value that is not unknown never changes as more becomes known.
//	I3  The octets of a message are read once for a search, whatever it looks
//	    for, and not at all where the facts decide.
//	I4  What cannot be decoded is searched as it stands; an error of the store
//	    ends the search instead of a message that is not found.
package imapsearch
