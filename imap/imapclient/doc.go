// Package imapclient speaks IMAP4rev1 and IMAP4rev2 to a server.
package imapclient
