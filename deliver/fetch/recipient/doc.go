// Package recipient finds out who gets a message that lies in a mailbox of
// several people: a catch-all, global or multidrop mailbox. The envelope is
// gone there, and what is left of it stands in the header, between fields that the
// sender was free to write.
//
//   - [New] makes a [Resolver] of a [Config]; it is a fetch.Recipients.
//   - [Table] maps addresses.
//   - [Stages] says which users have moved to the new server; [Staged] is the
//     Receiver that delivers by it.
//   - [Live] holds a Resolver that is replaced while it is in use.
//
// # RFCs
//
//	RFC 5321 §4.4         "for" and "by" of Received             what others write is read, too
//	RFC 5322 §3.4, §3.6.6 addresses, groups, resent blocks       full
//	RFC 2047              encoded words, in the text for rules   decoding
//	RFC 2919 §3           List-Id                                full
//	RFC 5233 §4           sub-addresses                          full
//	RFC 5891, RFC 6531    domains in A- and U-labels are equal   full
//	RFC 9228              Delivered-To                           text not read whole
//
// # Invariants
//
//	C1  A recipient that is read from a header is one of Config.Accept. Only what
//	    the configuration spells out (To, Default, the domain of a rule, Map) goes
//	    elsewhere.
//	C2  StepEnvelope and StepReceived read nothing that lies below the last
//	    Received field of the provider.
//	C3  The same header gives the same result; a Resolver keeps no state.
//	C4  Nobody is left out silently: where not all recipients of a step can be
//	    told, it finds nobody, and a message without recipients has a Reason.
//	C5  Time and memory are linear in the header, up to Config.MaxHeader.
package recipient
