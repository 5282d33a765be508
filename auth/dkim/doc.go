// Package dkim verifies and makes DKIM signatures.
//
//	v := &dkim.Verifier{Resolver: resolver}
//	m := v.Start()          // one message
//	io.Copy(m, body)        // as it streams by
//	report := m.Finish(ctx) // asks for the keys
//
//	s := &dkim.Signer{Keys: []dkim.Key{{"example.org", "s2026", key}}}
//	fields, err := s.Sign(message) // to be put in front of it
//
// A message is read once. Its header block is kept in memory up to a limit;
// of its body nothing is kept. The body is hashed at most twice, whatever
// the number of signatures. Cryptography is that of the standard library.
//
// Where others judge the same message, [NewMessage] is what all of them join: the
// header is kept once, and two hashes of the body are for all.
//
// # Which signatures are judged
//
// Anybody can put any number of signatures onto a message, so there are limits
// (10 signatures, 10 keys, 2 body hashes, 20 s for the keys), and an order: first what signs for the
// domain of From, then what signs for one above or below it, then the others;
// what has l= comes last. A signature whose body hash does not match needs no
// key and takes the place of none. So signatures for other domains, and such
// for a wrong body, do not hide the one that matters.
//
// # What passes
//
// rsa-sha256 with 1024 to 8192 bits and ed25519-sha256. rsa-sha1 is "policy"
// (RFC 8301), as are shorter and longer keys; a syntax error is "neutral", a
// key that does not exist, is revoked or not for mail is "permerror"; a
// question without answer is "temperror". Several records at a name are tried
// in order, at most three. The tag g= of old key records is ignored.
//
// That a signature passes says that its domain vouches for what it signed, no
// more: [Result.Weak] says what it left out. A signature with [BodyLength] is
// no ground for trust in the text, one with [Testing] is as none.
//
// # RFCs
//
//	RFC 6376  DKIM                 partial: verifying and signing, apart from
//	                               z= (ignored) and rsa-sha1 (see RFC 8301);
//	                               text not read whole
//	RFC 8301  keys and algorithms  full
//	RFC 8463  Ed25519              full
//	RFC 8601  results              §2.7.1, by the text of RFC 7601
//	RFC 8616  internationalised    d= in U-labels is looked up in A-labels;
//	                               text not read whole
//	RFC 6008  header.b             text not read whole
//
// What is not here: reports to signers (RFC 6651), ATPS (RFC 6541), ADSP, and
// the judgement whether a domain is that of the author, which is DMARC's.
//
// # Invariants
//
//	K1  No answer of the DNS that is missing, late or broken makes a result
//	    better.
//	K2  Time is linear in the message, memory in its header; both whatever the
//	    number of signatures, names in h= and lines.
//	K3  A message has a verdict, never an error; the only error is that of the
//	    reader.
//	K4  A line end without CR counts as CRLF. Nothing else of the octets is
//	    forgiven.
//	K5  What Signer makes passes Verifier and is folded at 78 columns, unless a
//	    name alone is longer.
//	K6  A private key never stands in an error or a log.
//
// # Crash table of FileKeys
//
//	while a key is added        a file ".new" that nobody reads, or the key
//	while its state is changed  the old state or the new one
//	while it is removed         the key as it was, or none
//
// # Concurrency
//
// Verifier, Signer and FileKeys may be used from any number of goroutines, a
// Verification and a Signing from one. Finish asks for keys in goroutines and
// waits for them; what panics in one of them panics in Finish. The one lock, FileKeys.mu, is held during file operations
// and calls nobody.
package dkim
