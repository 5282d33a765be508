// Package imapsource opens IMAP accounts for a fetch.Collector.
//
//	account := login.Client{Credentials: saslmech.Credentials{Username: "ann", Password: secret}}
//	box := imapsource.Source{
//		Addr:   "imap.example.org:993",
//		Dialer: &imapclient.Dialer{Auth: account},
//	}
//	src := &fetch.Source{Name: "ann@example.org", Open: box.Open, Idle: true, ...}
//
// # Invariants
//
//   - I1: A body ends with io.EOF only where the server has sent all octets that it
//     had announced, said OK, and kept its UIDVALIDITY.
//   - I2: \Seen is not touched.
//   - I3: \Deleted is set by Commit alone, and only what the Collector named is
//     expunged. Without UIDPLUS others lose \Deleted for the moment of EXPUNGE.
//   - I4: With MoveTo nothing gets \Deleted before the server has said that the
//     copies are made.
//
// # RFCs
//
//	RFC 2177  IDLE         as a client that collects
//	RFC 4315  UIDPLUS      UID EXPUNGE (§2.1), UIDNOTSTICKY
//	RFC 6154  special use  which mailboxes a pattern leaves out
//	RFC 6851  MOVE         for MoveTo
//	RFC 9051  IMAP4rev2    UIDs and UIDVALIDITY (§2.3.1.1)
//	RFC 9208  QUOTA        STORAGE
package imapsource
