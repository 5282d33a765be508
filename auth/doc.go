// Package auth judges who a message is from, in one pass while it streams by:
// SPF, DKIM, DMARC and further methods, what a policy makes of them, and the
// header fields that say so.
//
//	v := &auth.Verifier{Resolver: &dnsx.Cache{Resolver: &dnsx.Client{}}}
//	m := v.Start(ctx, auth.Session{IP: peer, Helo: "mx.example.net", MailFrom: "joe@example.org"})
//	io.Copy(m, message)        // as it streams by
//	result := m.Finish(ctx)    // at most 5 s
//	decision := (&auth.Policy{}).Decide(result)
//
// An [Inspector] does all of this around a smtp.Receiver, on the port where mail
// from elsewhere comes in:
//
//	inspector := &auth.Inspector{Verifier: v, ID: "mx.example.org"}
//	cfg.Receiver = smtp.Chain(queue, gate, received, inspector.Middleware(), edits)
//
// A [Signer] is the other side: it signs what users submit, by the domain of its
// author.
//
// # When what is asked
//
//	MAIL            SPF of the reverse-path and of the HELO name, the name of the
//	                client, and lists of clients, each in a goroutine of its own
//	end of header   the DMARC policy of the author
//	end of message  keys of signatures, all at once; then, where it is needed,
//	                whether what they vouch for is aligned
//
// Finish ends at a deadline, whatever the resolver does. What has no answer by
// then is a temperror. Four fifths of the time are for the answers and one is for
// the alignment, so that a key that nobody serves does not hide who the author is.
//
// All questions of a message come out of one budget, of which each method has a
// share: a sender whose SPF policy asks for much leaves nobody less to ask about
// the author.
//
// # What a pass stands on
//
// A signature with l= or with a testing key is no ground for a DMARC pass, nor is
// one that leaves a From field unsigned; [Result] says what else is weak.
//
// # How fields come in front of a message that is read once
//
// The results are known behind the last octet, and belong in front of the first.
// A smtp.Body has a place for them: the receiver reads the octets and stores them,
// and asks for the fields (Body.Trace) when it has met the end, which is when the
// Inspector adds them. So nothing is kept but the header field that may be a
// forged one: it is held back until it is known whose it is. A refusal takes the
// place of the end of the body, and a receiver accepts no body without an end.
// A message that is to be put aside has the field X-Quarantine among those in
// front, where a queue keeps it, beside the octets and not in them, so that no
// sender can write it: see [Quarantined].
//
// # RFCs
//
//	RFC 5322  message format    §2.2, §3.6.8 where a field begins and ends
//	RFC 7208  SPF               §2.3, §2.4 the identities, §9.1 Received-SPF
//	RFC 7372  codes             X.7.20, X.7.23 to X.7.26 (text not read whole)
//	RFC 8601  results           §5 forged fields, by the text of RFC 7601
//	RFC 8617  ARC               §7.2 what a sealer's word may outweigh
//	RFC 9989  DMARC             §5.3.6, §5.4, §11.5, as its last draft
//
// # Invariants
//
//	V1  No answer of the DNS that is missing, late or broken makes a verdict
//	    better, and no signature, policy or name of the sender makes that of
//	    another one better.
//	V2  Where the one aligned identifier has no answer now, the message neither
//	    passes nor is refused for good.
//	V3  A message is read once; memory is that of its header, whatever its size.
//	V4  Finish returns by its deadline, if the resolver keeps to the end of a
//	    context; every goroutine has ended by then.
//	V5  A field that the Inspector passes on and that a reader may take for one
//	    of ours is ours, and no line of a message goes on with its results.
//	V6  No text of an error, and of what a sender writes only printable ASCII,
//	    reaches the peer or the fields.
//	V7  A message that is refused is accepted by nobody behind the Inspector.
//
// # Concurrency
//
// A Verifier, a Policy and an Inspector may be used from any number of
// goroutines, a Verification from one. The Verification owns the goroutines that
// it starts; Finish waits for them, Abort ends them without waiting, and
// Verifier.Wait waits for those of all messages. What panics in one of them, such
// as a Method or a Resolver, panics in Finish. There are no locks.
package auth
