// Package itest holds the tests that need more than a package of its own:
// foreign clients (swaks, curl, mutt, mbsync, offlineimap, doveadm, imapflow, Python's mail modules) and raw
// sockets against the built example programs, and whole programs that are
// killed or lose power.
//
// A test that needs a program which is not installed is skipped and names it;
// with MAILSTEAD_PEERS=required it fails instead. With -short all of them are
// skipped.
package itest
