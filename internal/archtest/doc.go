// Package archtest holds the rules of the code base that a compiler does not
// know: who may import whom, what a light package may link, how long a
// function may be, that no package keeps mutable state, and that every RFC
// which the code cites has a row in docs/rfc.md. It has only tests:
//
//	go test ./internal/archtest
//
// Imports point down only. Examples compose; behaviour (servers, clients,
// queue, delivery, authentication) stands on vocabulary and contracts; these
// stand on internal packages, and those on the standard library and a few
// modules:
//
//	wiring       examples/*
//	behaviour    smtpserver  queue  auth/*  deliver/*  imapserver  pop3server  auth/login
//	leaves       smtp        store/blob  store  imap  pop3
//	ground       internal/*
//
// The exact table stands in layers_test.go. A rule that a file has a good
// reason to break is named in testdata/allow.txt, with the reason.
package archtest
