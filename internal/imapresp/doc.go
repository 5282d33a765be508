// Package imapresp reads what IMAP servers send (RFC 3501 §7, RFC 9051 §7). Its
// functions are pure: ConsumeX(b) (x, n, err) takes x at the start of b and says
// how many octets it takes. b holds whole responses, with literals in their place
// and the CRLF at the end; io.ErrUnexpectedEOF means that b ends before x does.
//
// Servers differ from the grammar in ways that lose nothing, so the reader takes
// more than the grammar allows: any octet within quotes, numbers with leading
// zeros, atoms in the place of strings, more or fewer spaces at the end, body
// structures with fields left out. What it takes is bounded: nesting by MaxDepth,
// and all else by the length of b, in which work and memory are linear.
//
// Results are copies; nothing of b is kept, unless a comment says so.
package imapresp
