// Package mimetext gives the texts of a message that people read, as UTF-8:
// encoded words and charsets are decoded. The structure that it works on is
// that of package mime, which decodes nothing and links no charsets.
//
//   - [DecodeWords] and [BaseSubject] read header fields.
//   - [AppendExtended] reads values of parameters.
//   - [Preview] gives the text of RFC 8970.
//
// # RFCs
//
//	RFC 2047           encoded words                         decoding
//	RFC 2231 §4        parameter values with a charset       decoding
//	RFC 5256 §2        base subject                          full
//	RFC 8970 §3.3      preview text                          full
package mimetext
