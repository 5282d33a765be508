// Package mbox reads and writes mbox files and delivers into them. It is a
// codec and a delivery target, not a store: a file of this format cannot keep
// UIDs or change one message without rewriting the others.
//
// # The format
//
// RFC 4155 registers the format and leaves its variants open. Common to all:
// a message is a separator line "From SENDER DATE", the message with its lines
// ended by LF, and an empty line.
//
//	format    a body line "From x" is written as    where a message ends
//	MboxO     ">From x"                             an empty line and a separator
//	MboxRD    ">From x"; ">From x" as ">>From x"    the same
//	MboxCL    as MboxO                              after Content-Length octets of body
//	MboxCL2   "From x"                              after Content-Length octets of body
//
// MboxRD alone can be undone exactly; it is what [Writer] writes.
//
// # Rules of the reader
//
//   - A separator is a line that begins with "From ", follows the start of the
//     file or an empty line, and ends in a date as ctime(3) writes it, with or
//     without seconds or zone. Anything else that begins with "From " is text.
//   - A Content-Length counts only when the end of the file or an empty line
//     and a separator are found where it points to; otherwise the message ends
//     where an MboxO one would, and Message.LengthIgnored says so.
//   - Memory is bounded: lines and messages may have any length.
//
// # What a crash leaves of a delivery
//
// Target.Deliver notes the file's size in FILE.intent, made durable, before it
// appends, and takes the note away, durably, before it returns.
//
//	power cut during      leaves                         next delivery, or Recover
//	writing the note      the file as it was             goes on
//	appending             a part of the message; note    cuts the file back to the noted size
//	taking the note away  the whole message; maybe note  keeps it, or cuts it (it was never
//	                                                     acknowledged)
//	after the return      the whole message              goes on
//
// A file is cut back only when nothing else can be lost: what lies before the
// noted size is as it was, and nothing behind it looks like a separator, apart
// from the first line. Otherwise the note is taken away and the file stays.
//
// Both locks of the tradition are held while the file is written: FILE.lock
// (made by link(2), which also holds on NFS) and an fcntl lock on the file.
package mbox
