// Package deliver brings mail to where it belongs: a [Directory] says who an
// address is, a [Router] names the next hop of a queued job, and receivers
// take it there: [LocalDelivery] into a store, [Relay] to another server by
// SMTP, reached through a [SmartHost] or by [MX], [LMTP] to another mail store.
// Package route is a table of next hops. A [Forward] in front of local delivery
// sends mail on. A [Gate] refuses at RCPT
// what could not be delivered or may not be relayed.
//
//	RFC 5321 §4.4       Return-Path at final delivery        full
//	RFC 5321 §3.9       aliases and forwarding               Forward
//	RFC 5321 §4.5.1     <postmaster>                         full
//	RFC 5321 §5         MX, implicit MX, preferences         full
//	RFC 5321 §4.5.3.1.10  552 is 452                         full
//	RFC 2033            LMTP as a target                     full
//	RFC 2142 §6         LIST-request                         as the owner of a list; text not read whole
//	RFC 3461 §5.2.7     aliases, lists and forwarding        full, with queue
//	RFC 5233 §4         sub-addresses                        full
//	RFC 7505            null MX                              text not read whole
//	RFC 1047            duplicates after a lost reply        see queue
//	RFC 2852            BY= with "return"                    a host without DELIVERBY is passed over; text not read whole
//	RFC 8689 §3, §4.2   REQUIRETLS, TLS-Required             whom MX names may be believed of is for TLSPolicies
//
// # Invariants
//
//	D1  A recipient that is delivered again with the same Mail.Once appears once.
//	D2  An address that cannot be looked up is deferred, never refused for good.
//	D3  One account that refuses does not touch the other recipients.
//	D4  A message with REQUIRETLS leaves only under TLS with a verified
//	    certificate, to a host that announces REQUIRETLS; reports, which have the
//	    null sender, may go on without.
//	D5  What waits for another host never waits among local mail: it moves once,
//	    from the destination of Router.Key to that of its next hop.
//	D6  An account that hangs holds up others no longer than LocalDelivery.Timeout.
package deliver
