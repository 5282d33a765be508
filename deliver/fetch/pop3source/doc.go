// Package pop3source opens POP3 mailboxes for a fetch.Collector.
//
//	account := login.Client{Credentials: saslmech.Credentials{Username: "ann", Password: secret}}
//	box := pop3source.Source{
//		Addr:   "pop.example.org:995",
//		Dialer: &pop3client.Dialer{TLS: pop3client.TLSImplicit, Login: account.Login},
//	}
//	src := &fetch.Source{Name: "ann@example.org", Open: box.Open, ...}
//
// # Invariants
//
//   - I1: A body ends with io.EOF only where it is whole, and where the server says
//     behind it that its number still has the unique-id that was listed: one that
//     numbers its messages anew in the middle of a session is found out.
//   - I2: DELE is sent by Commit alone, for messages whose numbers have their
//     unique-ids still, and right in front of QUIT. What was asked for ahead of
//     Retrieve, and was not wanted, stays.
//   - I3: Commit returns nil only for a +OK to each DELE and to QUIT (RFC 1939 §6).
//   - I4: Ahead of Retrieve two messages are on their way at most, of 128 KiB
//     together as they were listed, and none of a server that may delete what was
//     retrieved. They wait in the transport.
//
// # RFCs
//
//	RFC 1939  POP3  §5 to §7: as a client that collects
//	RFC 2449  CAPA  §6.6 and §6.7: PIPELINING, EXPIRE
package pop3source
