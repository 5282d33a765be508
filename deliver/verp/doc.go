// Package verp gives each recipient a reverse-path of its own (variable envelope
// return paths), so that a bounce says by its address alone for whom it is,
// whatever it has in it.
//
//	bob@example.net, from news@lists.example:
//	    news+bob=example.net@lists.example                without a secret
//	    news+k7ptx2ma=bob=example.net@lists.example       with one
//	    news+=c6qpo7…h2a@lists.example                    where that would be too long
//
// With a secret nobody else can make an address that counts as a bounce of
// bob's. The last form names the recipient by a hash of 26 letters, which
// [Scheme.Token] makes of an address: who sends keeps it beside the address.
//
//	RFC 5321 §4.5.3.1.1   a local-part has at most 64 octets
//	RFC 4648 §6           the alphabet of hashes, in lower case
//
// VERP is no RFC; the first form is that of qmail and Postfix.
package verp
