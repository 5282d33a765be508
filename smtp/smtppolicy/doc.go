// Package smtppolicy holds ready policies for a server, each a smtp.Middleware,
// or functions for the hooks of smtpserver.Config, or both. smtpserver does not
// need them.
//
//	Throttle      connections, messages, recipients by network     Connect Closed, Limit
//	DNSBL         lists of bad, and of good, addresses             Connect, or Refuse
//	FCrDNS        the confirmed name of a client                   Connect
//	EarlyTalkers  who speaks before the greeting                   Pause
//	Tarpit        slow answers for suspects                        Pause Closed, Count
//	Greylist      the first message is deferred                    Defer
//	CallForward   recipients are verified at the next hop          Verify
//	Users         what an account submits                          Limit, Take
//	RequireTLS, RequireAuth, SenderLogin                           middleware
//	Received, EditHeader with LoopLimit, StripForged, Submission   middleware
//	TraceTo       the dialogue in a log, without secrets           Trace
//
// Improper pipelining is refused by smtpserver itself, which sees the octets:
// Config.StrictPipelining. Recipients are held against a directory by
// deliver.Gate.
//
// [AllOf], [Longest] and [Each] join several policies to one hook. The first
// middleware of a smtp.Chain is asked first:
//
//	cfg.Connect = smtppolicy.AllOf(throttle.Connect, names.Connect)
//	cfg.Pause = smtppolicy.Longest(early.Pause, tarpit.Pause)
//	cfg.Closed = smtppolicy.Each(throttle.Closed, tarpit.Closed)
//	cfg.StrictPipelining = true
//	cfg.Receiver = smtp.Chain(queue,
//		tarpit.Count(), throttle.Limit(), lists.Refuse(), deliver.Gate(directory, nil), grey.Defer(),
//		smtppolicy.Received(hostname),
//	)
//
// # Invariants
//
//	I1  What cannot be found out is no verdict: the DNS, a store or a next hop
//	    that does not answer refuses nobody for good.
//	I2  Memory is bounded whatever the number of peers; each type says what an
//	    entry costs.
//	I3  Loopback, and what Exempt names, is not judged by its address, and
//	    neither is a peer that has none.
//	I4  A policy waits for the network only in Connect and in middleware, never
//	    in Pause and Closed, and only as long as its Timeout.
//
// A mutex guards the tables of each policy; it is held for no I/O, and none is
// taken while another is held.
//
// # Headers
//
// The header of a message is changed by an [Edit], which sees the header block
// alone; the body behind it is passed on octet by octet.
//
// # RFCs
//
//	RFC 5321 §4.3.1       greeting                    EarlyTalkers
//	RFC 5321 §4.4, §6.3   trace fields, loops         Received, LoopLimit
//	RFC 5782              DNS lists                   DNSBL
//	RFC 6409 §6.1, §8     submission                  SenderLogin, Submission
//	RFC 6647              greylisting                 Greylist
//	RFC 7372 §3.3         X.7.25                      FCrDNS
//	RFC 8601 §3, §5       iprev, forged results       FCrDNS, StripForged
package smtppolicy
