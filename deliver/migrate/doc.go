// Package migrate moves accounts: from servers, stores and files into others, with
// flags, keywords, dates, subscriptions and special uses, in repeated passes until
// the switch-over. It knows no protocol and no format; adapters stand in
// sub-packages:
//
//	storeaccount   an account of a store.Store           source and target
//	maildirtree    a Maildir++ tree                      source and target
//	mboxtree       an mbox file or a tree of them        source and target
//	emltree        a tree of .eml files                  source and target
//	imapaccount    an account of an IMAP server          source and target
//	pop3account    a maildrop of a POP3 server           source
package migrate
