// Package imaptest helps to test IMAP servers and clients.
//
// # Clients
//
// [Server] is a small server in memory of which a test decides each word: what
// it announces, what it answers, and how its octets are spoilt on their way. A
// test changes its [Account] while clients are connected: new mail, flags,
// expunged messages, UIDs that begin anew.
//
//	srv := &imaptest.Server{Account: imaptest.NewAccount(), Caps: []string{"IMAP4rev1", "IDLE"}}
//	srv.Account.Append("INBOX", "Subject: x\r\n\r\nHello.\r\n")
//	conn, err := srv.DialContext(ctx, "", "") // or srv.Start(t) for a port
//
// What a command is answered is replaced by a [Verb]:
//
//	srv.Verbs = map[string]imaptest.Verb{"UID COPY": func(c *imaptest.Conn, cmd *imaptest.Command) error {
//		return c.Tell(cmd, "OK done") // without COPYUID
//	}}
//
// A [Fault] spoils octets: it cuts, hangs, floods, lies about literals. [Proxy]
// does so with what a real server says. [Faults] has some fifty of them, each
// with what a client owes then, and [TestClient] judges a client by all of them
// and by cuts and hangs at every place, in a synctest bubble, where hours of
// waiting take no time:
//
//	imaptest.TestClient(t, func(ctx context.Context, conn net.Conn, tlsConfig *tls.Config) (map[imap.UID]string, error) { ... })
//
// # Servers
//
// [Player] replays dialogues that are written down as text, one
// rule or quirk in each file: as written, octet by octet, or over TLS.
//
//	# RFC 3501 §6.4.3: what the dialogue shows
//	# key: value, for the test that plays it
//	S~ \* OK \[CAPABILITY .*
//	C: a1 LOGIN alice secret
//	S~ a1 OK .*
//	R: "a2 APPEND INBOX {3+}\r\nabc\r\n"
//	S: a2 OK APPEND completed
//	2C: b1 NOOP
//	X:
//	S~ \* OK \[UIDVALIDITY (?P<v>\d+)\] .*
//	C: a3 SELECT INBOX (QRESYNC (${v} 1))
//
// C sends a line with CRLF, R a Go string as it stands. S wants exactly this
// line, S~ one that matches the regular expression as a whole. T starts TLS, X
// wants the connection to be closed. A digit in front names the connection;
// without one it is connection 1. A connection is opened when it is first named. A named
// group of S~ gives a value to ${name} in the lines behind.
package imaptest
