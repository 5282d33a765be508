package main

const description = `Collects mail from remote mailboxes by POP3 and IMAP, and delivers it.

Every flag is also read from the environment as MAILSTEAD_<FLAG>. SIGTERM finishes what is under way and ends; SIGHUP reads the
configuration again. Exit codes: 0, 1 when something failed or problems were found, 2 for bad use or a faulty configuration.`

// cli is the command line.
type cli struct {
	Config  string `help:"Configuration file." short:"c" default:"connector.toml" placeholder:"FILE"`
	Data    string `help:"Directory of state, store and queue, in place of that of the configuration." placeholder:"DIR"`
	JSON    bool   `name:"json" help:"Write results as JSON."`
	Verbose bool   `short:"v" help:"Log more."`

	Run          runCmd    `cmd:"" help:"Collect until SIGTERM."`
	Once         onceCmd   `cmd:"" help:"Collect what there is, and end."`
	Status       statusCmd `cmd:"" help:"Say how each source stands."`
	Check        checkCmd  `cmd:"" help:"Check configuration, passwords, TLS and login of each source, and say what would be done. Nothing is collected."`
	ImportConfig importCmd `cmd:"" name:"import-config" help:"Make a configuration of that of another program."`
	ImportSeen   seenCmd   `cmd:"" name:"import-seen" help:"Take over what another program has collected and left on the servers, so that it is not collected again."`
}
