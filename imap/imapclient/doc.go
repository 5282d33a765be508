// Package imapclient is one connection to an IMAP4rev1 or IMAP4rev2 server: TLS,
// login, and a method for each command. What keeps a mailbox in step, watches it
// or moves messages safely stands on it, in packages below.
//
//	d := &imapclient.Dialer{Auth: login.Client{Credentials: saslmech.Credentials{Username: "alice", Password: "…"}}}
//	c, err := d.Dial(ctx, "tcp", "imap.example.org:993")
//	...
//	defer c.Close()
//	box, err := c.Select(ctx, "INBOX", imapclient.SelectOptions{ReadOnly: true})
//	...
//	o := imap.FetchOptions{Items: imap.FetchFlags, Sections: []imap.Section{{Peek: true}}}
//	for m, err := range c.Fetch(ctx, store.AllUIDs(), o) {
//		body, err := m.Body() // an io.Reader on the connection
//		...
//	}
//
// # How it works
//
// There is no goroutine behind a Client. Whoever calls a method reads the
// connection until the command is answered; what the server says unasked goes to
// the Handler meanwhile, on the same goroutine and in the order in which it came.
// So there is no lock, nothing to wait for at the end, no queue that a flood could
// fill, and a body is read by whoever wants it, straight from the connection.
// Between calls nothing is read: Noop and Idle are how news are asked for. While a
// write waits for the server, what the server sends is read ahead, up to 1 MiB.
//
// Fetch and AppendAll have several commands on their way at once. Sets of UIDs
// longer than a command should be become several commands, here and in Store,
// Copy, Move and UIDExpunge; what MESSAGELIMIT leaves out is asked for again.
//
// Names of mailboxes are UTF-8 on this side, in modified UTF-7 or UTF-8 on the
// wire. A name that a server writes in a form that is not ours is sent back as
// it came.
//
// # Invariants
//
//	I1  Every wait ends: with the context of the call, and with the Timeouts,
//	    which are on by default. A command whose wait ended leaves the connection
//	    unusable (Client.Err), IDLE apart.
//	I2  What a server sends is bounded (Limits) in what it makes this side keep,
//	    and in what it makes it read without use. Memory grows with octets that
//	    came, never with announced ones.
//	I3  A message whose text broke off is never taken for a whole one:
//	    io.ErrUnexpectedEOF, and no later message of the same loop.
//	I4  A message that could not be sent whole does not come into being at the
//	    server: the command is not ended, and the connection is closed.
//	I5  Nothing that came before TLS counts behind it, no Handler hears of it, and
//	    octets between STARTTLS and the handshake are an error (RFC 3501 §6.2.1).
//	    PREAUTH does not lead around TLSRequired.
//	I6  A tagged response to a command that is not open ends the connection: no
//	    response is taken for the answer to another command.
//	I7  Where a response breaks the grammar, the call fails and the connection is
//	    closed: nothing that was asked for is left out silently. ENVELOPE and body
//	    structures of odd shape are the exception: what can be read of them is.
//	I8  What authenticates is in no trace and in no error.
//	I9  Both sides may write at the same time: neither waits for the other to read.
//
// # What the server may do to a caller
//
// Everything in a result is the server's word: names of mailboxes are no paths,
// UIDs and sizes may lie, messages may come that were not asked for (those of
// other UIDs go to the Handler) and come twice. Texts have no control characters
// only in StatusResponse.Text.
//
// # RFCs
//
//	RFC 2177  IDLE                            RFC 5464  METADATA
//	RFC 2342  NAMESPACE                       RFC 5465  NOTIFY
//	RFC 2971  ID                              RFC 5819  LIST-STATUS
//	RFC 3501  IMAP4rev1                       RFC 6154  SPECIAL-USE
//	RFC 3502  MULTIAPPEND                     RFC 6851  MOVE
//	RFC 3516  BINARY                          RFC 6855  UTF8=ACCEPT
//	RFC 3691  UNSELECT                        RFC 7162  CONDSTORE, QRESYNC
//	RFC 4314  ACL                             RFC 7888  LITERAL+, LITERAL-
//	RFC 4315  UIDPLUS                         RFC 7889  APPENDLIMIT
//	RFC 4467  URLAUTH                         RFC 5524  URLAUTH=BINARY
//	RFC 4469  CATENATE                        RFC 8508  REPLACE
//	RFC 9698  JMAPACCESS                      RFC 10022 UIDBATCHES
//	RFC 4731  ESEARCH                         RFC 8437  UNAUTHENTICATE
//	RFC 4959  SASL-IR                         RFC 8438  STATUS=SIZE
//	RFC 4978  COMPRESS                        RFC 8440  LIST-MYRIGHTS
//	RFC 5032  WITHIN                          RFC 8474  OBJECTID
//	RFC 5161  ENABLE                          RFC 8514  SAVEDATE
//	RFC 5256  SORT, THREAD                    RFC 8970  PREVIEW
//	RFC 5258  LIST-EXTENDED                   RFC 9051  IMAP4rev2
//	RFC 5267  ESORT; contexts are told only   RFC 9208  QUOTA
//	RFC 9394  PARTIAL                         RFC 9586  UIDONLY
//	RFC 9590  LIST-METADATA                   RFC 9738  MESSAGELIMIT
//
// Commands of other extensions go through [Client.Do].
package imapclient
