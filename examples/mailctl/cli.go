package main

const description = `Looks after the data of a mail server: backups, migrations, accounts, the queue.

Every flag is also read from the environment as MAILSTEAD_<FLAG>; a value @FILE reads the file. SIGINT stops cleanly, and the
same command goes on from there; a second one ends at once. Exit codes: 0, 1 when something failed, was lost or problems were
found, 2 for bad use, 75 when a later attempt may do what is left (send, migrate --max-bytes), 130 when stopped.`

// cli is the command line.
type cli struct {
	Data   string `help:"Data directory of the server." default:"./mail-data" placeholder:"DIR"`
	JSON   bool   `name:"json" help:"Write the result as one JSON object on the standard output, and what happens as events, one a line, on the standard error."`
	DryRun bool   `help:"Say what would be done, and do nothing."`

	Backup  backupCmd  `cmd:"" help:"Back up accounts into an archive: what changed since the last backup, or all."`
	Restore restoreCmd `cmd:"" help:"Restore accounts, a mailbox or messages from an archive."`
	Verify  verifyCmd  `cmd:"" help:"Verify an archive, or without one the data directory."`
	Account accountCmd `cmd:"" help:"List and make accounts, set quotas and passwords."`

	Queue   queueCmd   `cmd:"" help:"Look at the queue and change it."`
	Import  importCmd  `cmd:"" help:"Copy mail from files into an account, what is not there yet."`
	Export  exportCmd  `cmd:"" help:"Copy mail of an account into files, what is not there yet."`
	Migrate migrateCmd `cmd:"" help:"Copy an account between servers, stores and files, what is not there yet."`
	Dkim    dkimCmd    `cmd:"" help:"Make DKIM keys, and check what the DNS has of them."`
	Send    sendCmd    `cmd:"" help:"Send a message: to a server, or into the queue."`
}
