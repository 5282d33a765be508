// Package fetch collects mail from remote mailboxes, by POP3, IMAP or whatever
// else makes a Session, and hands each message to its right recipients: without
// loss, and without doubles as far as the target can tell them.
//
//	c := &fetch.Collector{
//		Hostname: "mail.example.org", Blobs: st.Blobs(), State: &fetch.EntryState{Account: acct},
//		Sources: []*fetch.Source{{
//			Name: "ann@isp", Open: source.Open, Recipients: fetch.To(ann),
//			Target: &deliver.LocalDelivery{Store: st, Directory: dir},
//		}},
//	}
//	err := c.Run(ctx)
//
// Sub-packages make sources: pop3source and imapsource; recipient finds out who
// gets a message of a mailbox for many.
//
// # Invariants
//
//	C1  Nothing is deleted on a server but a message that all its recipients, or
//	    the quarantine, have on stable storage, and of which that is remembered.
//	C2  A message that was fetched in an earlier session is compared by its header
//	    before it is deleted: an ID that was given to another message loses none.
//	C3  A Target that knows Mail.Once has each message once for each recipient,
//	    whatever was cut, killed or refused, as long as it knows the key (30 days).
//	C4  What has no recipient, or is refused for good, is kept in quarantine; no
//	    sender hears of it.
//	C5  A source that fails, hangs or lies holds up no other one. Memory is bounded
//	    by the number of messages that it lists, not by their size.
//	C6  A wrong password is tried less and less often.
//
// # What a crash leaves behind
//
//	while a message is fetched         a blob that nobody refers to; the message is on the server
//	before a recipient's commit        the same
//	behind it, before the record       the recipient has it; it is fetched again, and the target
//	                                   knows its key; a host that speaks SMTP or LMTP has it twice
//	behind the record                  it is on the server, and deleted by the next pass
//	a deletion whose answer is lost    in doubt: the next listing shows it, or not; it is never fetched again
//
// One recipient is one transaction, with Mail.Once of the source, the ID, the
// content and the address. The key has the content in it since servers give IDs to
// other messages; header fields that servers change while a message lies there
// (Status, X-UIDL) are left out.
//
// # Which message is which
//
// The ID, if the server has one and gave it to one message. Else header and size,
// and a number for those that are alike, none of which is deleted before all are
// here. In a folder with another UIDVALIDITY than before, and for a new folder,
// messages are compared with those that are not there any more.
//
// What another program has fetched and left on the server is marked with
// MarkElsewhere before the first pass.
//
// # Copies
//
// Where Recipients had nothing but To and Cc (Decision.Guessed), and the server has
// the message once for each of them, the copies after the first go to nobody twice.
// One that is more than there are recipients is for somebody who is not named:
// quarantine.
//
// # RFCs
//
//	RFC 1939 §7        UIDL: unique for ever, as it should be
//	RFC 3461 §4.1      NOTIFY=NEVER on what is handed over
//	RFC 5321 §4.4      Received; the provider's Return-Path becomes the reverse-path
//	RFC 9051 §2.3.1.1  UID and UIDVALIDITY
//
// # Locks
//
// Collector.mu, then worker.mu; slots.mu is a leaf. No lock is held while a Session,
// State, Target or hook runs.
package fetch
