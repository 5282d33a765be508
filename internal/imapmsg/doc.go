// Package imapmsg is one message as FETCH and SEARCH read it: its octets, the
// Meta that describes them, and the tree of its parts. Each is obtained when it
// is first asked for, and once for a message. The package knows no session, no
// command and nothing of the wire.
//
// # RFCs
//
//	RFC 3501 §2.3, §6.4.5   message attributes, part numbers   the data behind them
//
// # Invariants
//
//	I1  The octets of a message are its prefix (the trace fields that delivery
//	    put in front) and its blob, in this order. Meta and the parts count
//	    from the start of the blob.
//	I2  What cannot be read is an error before anything of it was used.
//	I3  A Message that the store sent without its content asks for no content
//	    as long as its Meta is enough.
package imapmsg
