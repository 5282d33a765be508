// Package imapcmd puts the commands of an IMAP client together (RFC 3501 §6, RFC
// 9051 §6, and the extensions): arguments in the form that the server wants, and
// the lists of FETCH, LIST, SEARCH and NOTIFY. It does no I/O and knows no
// session; what it is given and has no form in the protocol is ErrArgument, so
// that no argument can end a line.
package imapcmd
