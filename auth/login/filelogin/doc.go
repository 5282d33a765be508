// Package filelogin keeps the users of package login in a text file, as Dovecot's
// passwd-file, and their app passwords in a file beside it.
//
//	users := &filelogin.File{Path: "passwd"}
//	svc := &login.Service{Backend: users}
//
// # What a power cut leaves
//
//	cut in                    it leaves
//	Set, Rehash, Disable, …   the old file, or the new one; a temporary file beside it,
//	                          which the next change removes
//	AddAppPassword, …         the old file of app passwords, or the new one
//	Delete                    the user with or without his app passwords, or neither
//	UseAppPassword            the time of an earlier use, up to a minute before
//
// # Concurrency
//
// A File may be used from any number of goroutines, and its files by any number of
// processes. No goroutine is started. Lock order: File.change, the lock file, then
// the locks of what was read, which are leaves.
package filelogin
