// Package searchtext says which texts a message has for SEARCH, and when two
// texts are the same: the one owner of both, so that a server that reads
// messages and an index that has read them before give the same answers.
//
// The texts of a message are each field of its header, as "Name: value"; each
// field in the header of a part below it; and the body of each text part. Encoded
// words (RFC 2047), transfer encodings and charsets are taken off; what cannot
// be decoded counts as it stands. Of a header the first MiB counts. A needle is
// found inside one text, never across two.
//
// Texts are compared without case ([Fold]), character by character.
//
//   - [Matcher] judges one message, for store.Search.
//   - [Extract] returns all texts of a message, for an index.
//   - [Header] and [Body] hand them on as they are read, for a server that
//     looks for several at once.
//
// # RFCs
//
//	RFC 3501 §6.4.4   what BODY, TEXT and HEADER look at, matching   full
//
// # Invariants
//
//   - I1: Extract has a text exactly if Header and Body hand it on, unless it
//     reports that it was cut.
//   - I2: folding goes character by character: whether a text holds a needle
//     does not depend on the pieces that it comes in.
//   - I3: an error of the storage is an error, never a text that is not there;
//     what cannot be decoded is not one.
package searchtext
