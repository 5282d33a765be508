// Package smtppolicy holds ready policies for a server: smtp.Middleware that
// looks at, refuses or completes mail on its way to another smtp.Receiver.
// smtpserver does not need it.
//
// The header of a message is changed by an [Edit], which sees the header block
// alone; the body behind it is passed on octet by octet.
//
//	RFC 5321 §4.4, §6.3  trace fields, loop detection   Received, LoopLimit
//	RFC 6409 §8          submission fix-ups             Submission
//	RFC 8601 §5          forged Authentication-Results  StripForged
package smtppolicy
