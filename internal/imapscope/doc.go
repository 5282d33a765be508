// Package imapscope is which mailboxes a command is about, as MULTISEARCH and
// NOTIFY name them.
//
// # RFCs
//
//	RFC 5465 §6, §8   filter-mailboxes           full
//	RFC 7377 §2.2     esearch-source-opts         the syntax
package imapscope
