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
package fetch
