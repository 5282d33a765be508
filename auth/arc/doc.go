// Package arc verifies and extends the Authenticated Received Chain of a message:
// what hosts on its way said about who it is from, each under a seal.
//
//	v := &arc.Verifier{Resolver: resolver}
//	m := v.Start()             // one message
//	io.Copy(m, message)        // as it streams by
//	result := m.Finish(ctx)    // asks for the keys
//
// A host that changes messages, such as a mailing list, seals what it sends:
//
//	s := &arc.Sealer{Key: dkim.Key{Domain: "lists.example.org", Selector: "s2026", Signer: key}}
//	fields, err := s.Seal(outgoing, result, authres.Field{ID: "mx.example.org", Statements: statements})
//
// A message is read once. Its header block is kept in memory up to a limit; of
// its body nothing is kept. With [Verifier.Join] it is read once for DKIM, too:
//
//	message := dkim.NewMessage(0)
//	signatures, chain := dkimVerifier.Join(message), arcVerifier.Join(message)
//	io.Copy(message, body)
//	// Finish of both, also at the same time
//
// # What a chain says
//
// A chain that passes says who handled the message, and that nobody forged what
// they said. It does not say that they tell the truth: anybody can seal anything.
// [Result.Evidence] has what a sealer says whom the operator trusts, where nobody
// else can have changed the message behind him. It is the ground on which a failure of
// DMARC may be outweighed. A chain that fails is as none.
//
// # What is asked, and when
//
// A chain costs no question if its structure is wrong or its newest signature is
// for another body. Then the two keys of the newest set are asked for; only if
// both verify, those of the other seals, all at once, with the keys of older
// signatures whose body hash still matches.
//
// # RFCs
//
//	RFC 8617  ARC            full: §4, §5, §6, §7.2.2; several algorithms in one
//	                         set (§4.2.1) are no part of it
//	RFC 6376  DKIM           what it lends to the two signatures, see auth/dkim
//	RFC 8301  keys           as in auth/dkim
//	RFC 8463  Ed25519        full
//	RFC 8601  results        by the text of RFC 7601, see auth/authres
//	RFC 8616  U-labels       in d= and s=; text not read whole
//
// # Invariants
//
//	R1  No answer of the DNS that is missing, late or broken, and no change of a
//	    set, makes a result better.
//	R2  A chain of more than 50 sets fails; time is linear in the message, apart
//	    from at most 100 signatures; memory is linear in its header.
//	R3  A message has a verdict, never an error; the only error is that of the
//	    reader.
//	R4  Nobody is believed whose words somebody else who is not trusted can have
//	    put to another message.
//	R5  A Sealer seals "pass" or "none" only on the very chain that was verified,
//	    and never behind a seal that says "fail".
//	R6  What Sealer makes passes Verifier and is folded at 78 columns, unless a
//	    name or a value alone is longer.
//
// # Concurrency
//
// Verifier and Sealer may be used from any number of goroutines, a Verification
// and a Sealing from one. A Result is not changed after Finish has returned it.
// Finish asks for keys in goroutines and waits for them; what panics in one of them
// panics in Finish. There are no locks.
package arc
