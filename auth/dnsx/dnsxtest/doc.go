// Package dnsxtest is a DNS server on loopback for tests: what is asked for over
// UDP and TCP is answered from a small zone written as text.
//
//	dns := dnsxtest.New(t, `
//		example.org         TXT       v=spf1 ip4:192.0.2.1 -all
//		example.org         MX        10 mx.example.org
//		mx.example.org      A         192.0.2.1
//		broken.example.org  SERVFAIL
//		slow.example.org    SILENT
//	`)
//	r := &dnsx.Client{Servers: []netip.AddrPort{dns.AddrPort()}}
//
// # RFCs
//
//	RFC 1035  messages           by x/net/dns/dnsmessage
//	RFC 2308  negative answers   §3: with the SOA record of the root
//
// # Invariants
//
//	T1  A name that is not in the zone does not exist, but for one that has a
//	    name below it: that has no records (RFC 8020 §2).
//	T2  An answer that does not fit into 512 octets, or what EDNS allows, is
//	    truncated over UDP and whole over TCP.
//
// # Concurrency
//
// A Server may be used from any number of goroutines. Those that answer end
// with the test.
package dnsxtest
