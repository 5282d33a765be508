// Package authres has the words in which methods that authenticate messages say
// what they found, and the header field that carries them:
// Authentication-Results.
//
//	f := authres.Field{ID: "mx.example.org", Statements: []authres.Statement{{
//		Method: authres.SPF, Result: authres.Pass,
//		Properties: []authres.Property{{Type: "smtp", Name: "mailfrom", Value: sender}},
//	}}}
//	header = f.Append(header)
//
// The packages of the methods (auth/spf, auth/dkim, auth/dmarc) import this one,
// speak in its words, and make a Statement of what they found; it imports none of
// them.
//
// # RFCs
//
//	RFC 5322  comments, quoting, folding   §2.2.3, §3.2
//	RFC 6008  header.b of several signatures, see auth/dkim
//	RFC 8601  the field and its words      by the text of RFC 7601, which it
//	                                       replaces: §2.2, §2.5, §2.7, §5. The
//	                                       text of RFC 8601 was not read whole.
//	RFC 8904  the method dnswl, see auth/dnsbl; text not read whole
//
// What is not here: the "i=" in front of ARC-Authentication-Results (RFC 8617
// §4.1.1) is written and read by auth/arc.
//
// # Invariants
//
//	A1  What Append writes is one field with the statements that it was given,
//	    whatever octets are in them: no value ends its line, its quotes or its
//	    statement.
//	A2  Parse gives back what Append wrote, apart from octets that Append
//	    cannot write (see Append).
//	A3  A field that a reader may take for one of ours Claims to be ours.
//	A4  Time and memory are linear in the input; nesting costs nothing.
//
// # Concurrency
//
// There is no state. A Field may be read from any number of goroutines.
package authres
