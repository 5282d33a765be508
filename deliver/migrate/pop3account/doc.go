// Package pop3account makes a maildrop of a POP3 server a source of package migrate,
// over pop3/pop3client. It deletes nothing.
//
// The maildrop is INBOX. Messages are known by their unique-ids and come in the order
// of these; one that has none, or one that is there twice, is known by a hash of its
// header and its size, for which the server needs TOP. INTERNALDATE is the date of the
// first Received field. POP3 has no flags. While a maildrop is read it is locked:
// there is one connection.
package pop3account
