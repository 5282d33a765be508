package answer

import "github.com/mailstead/mailstead/store/backup"

// BackupRequest asks for a backup.
type BackupRequest struct {
	Archive  string   `json:"archive"` // absolute
	Accounts []string `json:"accounts,omitempty"`
	Mailbox  string   `json:"mailbox,omitempty"`
	Full     bool     `json:"full,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
}

// BackedUp is the result of a backup.
type BackedUp struct {
	Backup      string `json:"backup,omitempty"` // its id
	Resumed     bool   `json:"resumed,omitempty"`
	Full        int    `json:"full"` // accounts
	Incremental int    `json:"incremental"`
	Unchanged   int    `json:"unchanged"`
	Messages    int64  `json:"messages"`
	Bodies      int64  `json:"bodies"` // new ones
	Bytes       int64  `json:"bytes"`
	Missing     int64  `json:"missing"`
}

// BackedUpOf is the report as it is shown.
func BackedUpOf(r *backup.Report) BackedUp {
	x := BackedUp{
		Resumed: r.Resumed, Full: r.Full, Incremental: r.Incremental, Unchanged: r.Unchanged,
		Messages: r.Messages, Bodies: r.Bodies, Bytes: r.Bytes, Missing: r.Missing,
	}
	if r.Manifest != nil {
		x.Backup = r.Manifest.ID
	}
	return x
}

// RestoreRequest asks for a restore.
type RestoreRequest struct {
	Archive     string      `json:"archive"` // absolute
	Backup      string      `json:"backup,omitempty"`
	Accounts    []string    `json:"accounts,omitempty"`
	As          string      `json:"as,omitempty"`
	Append      bool        `json:"append,omitempty"`
	Mailbox     string      `json:"mailbox,omitempty"`
	UIDs        [][2]uint32 `json:"uids,omitempty"` // first and last
	Into        string      `json:"into,omitempty"`
	Run         string      `json:"run,omitempty"`
	IgnoreQuota bool        `json:"ignore_quota,omitempty"`
	Partial     bool        `json:"partial,omitempty"`
	DryRun      bool        `json:"dry_run,omitempty"`
}

// Restored is the result of a restore.
type Restored struct {
	Backup    string `json:"backup"`
	Accounts  int    `json:"accounts"`
	Already   int    `json:"already"`
	Mailboxes int    `json:"mailboxes"`
	Messages  int64  `json:"messages"`
	Skipped   int64  `json:"skipped"`
	Lost      int64  `json:"lost"`
	Bytes     int64  `json:"bytes"`
}

// RestoredOf is the report as it is shown.
func RestoredOf(r *backup.RestoreReport) Restored {
	return Restored{
		Backup: r.Backup, Accounts: r.Accounts, Already: r.Already, Mailboxes: r.Mailboxes,
		Messages: r.Messages, Skipped: r.Skipped, Lost: r.Lost, Bytes: r.Bytes,
	}
}

// Copied is the progress of backup and restore.
type Copied struct {
	Account  string `json:"account,omitempty"`
	Done     int    `json:"done"`
	Total    int    `json:"total"`
	Messages int64  `json:"messages"`
	Bodies   int64  `json:"bodies"`
	Bytes    int64  `json:"bytes"`
}

// CopiedOf is the progress as it is shown.
func CopiedOf(p backup.Progress) Copied {
	return Copied{string(p.Account), p.Done, p.Total, p.Messages, p.Bodies, p.Bytes}
}
