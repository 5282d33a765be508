// Package pop3test has a POP3 server for tests of programs that fetch mail. It
// is honest unless its Options say otherwise, and lives in memory, also in a
// testing/synctest bubble, or on a port of the loopback interface. It uses the
// standard library and package pop3 only, so it is also an independent judge of
// pop3client.
//
//	srv := pop3test.NewServer(t, pop3test.Options{Messages: pop3test.Texts("...", "...")})
//	d := &pop3client.Dialer{Net: srv}
//	c, err := d.Dial(ctx, "tcp", "pop.example:110")
//
// # RFCs
//
//	RFC 1939  POP3  as far as tests need it
//	RFC 2449  CAPA  as far as tests need it
package pop3test
