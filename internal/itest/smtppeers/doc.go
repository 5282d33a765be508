// Package smtppeers holds the tests of smtpclient and smtpserver against the
// mail servers and clients of others: each side reaches each with TLS, AUTH,
// DSN, SMTPUTF8, CHUNKING and PRDR where it has them. The queue with its
// runner and its reports sends to each server, too.
//
// MAILSTEAD_SMTP_PEERS names the directory with the unpacked servers
// (unpack_smtp_peers of .ci/step-lib.sh). They run as root in a mount
// namespace of their own, with their own users, configuration and high ports,
// and end with the test. A test whose peer is missing is skipped and names it;
// with MAILSTEAD_PEERS=required it fails. With -short all are skipped.
package smtppeers
