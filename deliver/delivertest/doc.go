// Package delivertest is an internet in memory, for tests of what sends mail:
// names, hosts that take mail and misbehave as a script says, and the wires
// between them. Nothing of it opens a socket, so a test inside testing/synctest
// goes through days of retries in milliseconds.
//
//	synctest.Test(t, func(t *testing.T) {
//		inet := delivertest.New(t)
//		mx := inet.Host("mx.example.net", "192.0.2.1")
//		inet.DNS.MX("example.net", "10 mx.example.net")
//		mx.SetScript(delivertest.First(2, delivertest.At(delivertest.Greeting, delivertest.Answer{Reply: "421 busy"})))
//		// a deliver.MX with inet.DNS as its resolver and inet as its dialer
//		...
//		got := mx.Taken()
//	})
//
// An [Internet] is a smtpclient.ContextDialer, and its [DNS] a dnsx.Resolver.
// What a [Host] took responsibility for is in [Host.Taken], whether or not its
// client was told.
//
// # RFCs
//
//	RFC 5321  SMTP           as far as senders need it
//	RFC 3030  CHUNKING       where Extensions name it
//	RFC 3207  STARTTLS       where a certificate was set
//
// # Concurrency
//
// Everything may be used from any number of goroutines. Those that serve
// connections end with the test.
package delivertest
