package main

const description = `Looks after the data of a mail server: backups, restores, verification, accounts.

Every flag is also read from the environment as MAILSTEAD_<FLAG>; a value @FILE reads the file. SIGINT stops cleanly, and the
same command goes on from there. Exit codes: 0, 1 when something failed or problems were found, 2 for bad use, 130 when stopped.`

// cli is the command line.
type cli struct {
	Data   string `help:"Data directory of the server." default:"./mail-data" placeholder:"DIR"`
	JSON   bool   `name:"json" help:"Write the result as one JSON object."`
	DryRun bool   `help:"Say what would be done, and do nothing."`

	Backup  backupCmd  `cmd:"" help:"Back up accounts into an archive: what changed since the last backup, or all."`
	Restore restoreCmd `cmd:"" help:"Restore accounts, a mailbox or messages from an archive."`
	Verify  verifyCmd  `cmd:"" help:"Verify an archive, or without one the data directory."`
	Account accountCmd `cmd:"" help:"List and make accounts, set quotas and passwords."`

	Queue   queueCmd   `cmd:"" help:"Look at the queue and change it."`
	Import  mailCmd    `cmd:"" help:"Import mbox, maildir or eml. (Not built yet.)"`
	Export  mailCmd    `cmd:"" help:"Export mbox, maildir or eml. (Not built yet.)"`
	Migrate migrateCmd `cmd:"" help:"Copy accounts between servers. (Not built yet.)"`
	Dkim    dkimCmd    `cmd:"" help:"Make DKIM keys, and check what the DNS has of them."`
	Send    sendCmd    `cmd:"" help:"Send a message: to a server, or into the queue."`
}

// unbuilt is a command of which no more than the name is there.
type unbuilt struct {
	Args []string `arg:"" optional:"" passthrough:"" hidden:""`
}

// Run refuses.
func (unbuilt) Run() error { return &useError{"this command is not built yet"} }

type mailCmd struct {
	Mbox    unbuilt `cmd:"" help:"(Not built yet.)"`
	Maildir unbuilt `cmd:"" help:"(Not built yet.)"`
	Eml     unbuilt `cmd:"" help:"(Not built yet.)"`
}

type migrateCmd struct{ unbuilt }
