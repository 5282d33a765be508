// Package imapserver serves IMAP4rev1 and IMAP4rev2 from any [store.Store].
//
// Everything that the protocol needs is derived from the store's mailboxes,
// messages and mod-sequences: a backend never sees a sequence number, a FETCH
// item, a search key or a response.
//
//	srv, err := imapserver.New(imapserver.Config{
//		Store:     st,
//		TLSConfig: tlsConfig,
//		Auth:      svc.Authenticator(), // of a login.Service
//	})
//	go srv.Serve(listener)
//	...
//	err = srv.Shutdown(ctx)
//
// # RFCs
//
//	RFC 2177  IDLE                  full
//	RFC 2342  NAMESPACE             full
//	RFC 2683  implementation advice §3.2.1.5 line lengths, §3.4.2 recovery
//	RFC 2971  ID                    full
//	RFC 3348  CHILDREN              partial (text not read whole)
//	RFC 3501  IMAP4rev1             full
//	RFC 3502  MULTIAPPEND           full; as many messages as SAVELIMIT says
//	RFC 3516  BINARY                full
//	RFC 3691  UNSELECT              full
//	RFC 4314  ACL                   full, where Config.Sharing is set; all flags are shared
//	RFC 4315  UIDPLUS               full
//	RFC 4467  URLAUTH               INTERNAL, for the user's own mailboxes (text not read whole)
//	RFC 4469  CATENATE              full
//	RFC 4731  ESEARCH               full
//	RFC 4959  SASL-IR               full
//	RFC 4978  COMPRESS=DEFLATE      full
//	RFC 5032  WITHIN                full
//	RFC 5092  IMAP URLs             of messages and their parts (text not read whole)
//	RFC 5161  ENABLE                full
//	RFC 5182  SEARCHRES             full
//	RFC 5256  SORT, THREAD          full
//	RFC 5258  LIST-EXTENDED         full
//	RFC 5267  ESORT, CONTEXT        full; 16 contexts, sorted ones of 5,000 results
//	RFC 5464  METADATA              full
//	RFC 5465  NOTIFY                partial: no AnnotationChange; docs/rfc.md has the order of answers
//	RFC 5524  URLAUTH=BINARY        partial (text not read whole)
//	RFC 5530  response codes        what applies
//	RFC 5550  URL-PARTIAL           §2.7 (text not read whole)
//	RFC 5819  LIST-STATUS           full
//	RFC 5957  SORT=DISPLAY          full
//	RFC 6154  SPECIAL-USE           full
//	RFC 6203  SEARCH=FUZZY          where the store has an index; all words, two scores
//	RFC 6851  MOVE                  full
//	RFC 7162  CONDSTORE, QRESYNC    full; MODIFIED may be spurious (§3.1.12)
//	RFC 7377  MULTISEARCH           full
//	RFC 7888  LITERAL+              full; LITERAL- instead with Config.LiteralMinus
//	RFC 7889  APPENDLIMIT           full
//	RFC 8437  UNAUTHENTICATE        full
//	RFC 8438  STATUS=SIZE           full
//	RFC 8440  LIST-MYRIGHTS         full
//	RFC 8474  OBJECTID              full
//	RFC 8508  REPLACE               full
//	RFC 8514  SAVEDATE              full
//	RFC 8970  PREVIEW               full
//	RFC 9051  IMAP4rev2             all but the decoding of RFC 2231 (§7.5.2)
//	RFC 9208  QUOTA                 STORAGE, MESSAGE, MAILBOX
//	RFC 9394  PARTIAL               full
//	RFC 9585  INPROGRESS            of searching commands (text not read whole)
//	RFC 9586  UIDONLY               full
//	RFC 9590  LIST-METADATA         (text not read whole)
//	RFC 9698  JMAPACCESS            partial (text not read whole)
//	RFC 9738  SAVELIMIT             full; MESSAGELIMIT instead where a limit is set
//	RFC 9755  UTF8=ACCEPT           or UTF8=ONLY; 8-bit headers are taken from everybody
//	RFC 10022 UIDBATCHES            full
//
// # Glossary
//
//   - session: one connection and its state: not authenticated, authenticated,
//     selected, logout (RFC 3501 §3).
//   - selected: the open mailbox as this client knows it.
//   - told: what the client was sent. Sequence numbers count what was told.
//   - sync: sending what changed since, at the points where the protocol
//     allows it.
//
// # Invariants
//
//   - I1: No OK is sent to APPEND, REPLACE, COPY, MOVE, STORE or EXPUNGE before the
//     store's Apply returned.
//   - I2: A sequence number means the same message for client and server: it is
//     computed from what was told, never from what the mailbox holds now.
//   - I3: EXPUNGE is sent only where RFC 3501 §7.4.1 allows it: never in FETCH,
//     STORE or SEARCH, and without a command in progress only to who asked for
//     that by NOTIFY.
//   - I4: A parked session holds its goroutine, its connection and what the
//     client was told as ranges of UIDs; no buffer, no table. With COMPRESS it
//     holds what the client may refer back to.
//   - I5: The text of an internal error never reaches a client.
//   - I6: HIGHESTMODSEQ is never above the mod-sequence up to which flags and
//     expunges were told, and it never goes down.
//   - I7: What a command adds is added by one Change, after its last octet came:
//     APPEND of several messages, CATENATE, REPLACE. Within an account what it
//     takes away goes in the same Change, of a larger MOVE 10,000 messages at a
//     time. Between accounts the copies come first, and the client
//     is told of them whatever becomes of the rest. A message is never collected
//     in memory, on its way in or out.
//   - I8: What a connection may cost is bounded before it is spent: octets of a
//     line and of literals, also behind DEFLATE; memory for inflating, by a budget
//     of the server; sessions of an address and of a user; the time until the
//     login, between commands and within one.
//   - I9: Nothing of a user is left behind UNAUTHENTICATE, and nothing of a
//     session behind its end: its views, its place in Users, its goroutine.
//   - I10: Trace shows no password, no octet of an exchange of AUTHENTICATE, and
//     no URL that carries its own right of access.
//   - I11: A URL gives nothing, and does not say why, unless its token, its
//     access identifier and its expiry hold.
//   - Shared mailboxes: no Change of another account is made without the right
//     that RFC 4314 §4 asks for, and nothing tells a user whether a mailbox is
//     there that he has no right l on.
//
// # Concurrency
//
// One goroutine serves a connection: it reads a command, runs it and writes the
// responses. Others only wake it: the view's watcher with a hint, Shutdown with
// the wish to end. Both do so by setting the read deadline while the session is
// parked; conn.mu guards that, and is a leaf, as Users.mu is. While the session looks at messages, sorts them, or copies them
// to another account, a second goroutine reads ahead, to see that the client is
// still there: octets as they come, which are inflated behind it.
//
// Timeouts are deadlines of the connection: no session has a timer.
// What comes before a session, a PROXY header or a TLS handshake, Shutdown ends
// at once.
package imapserver
