package imap

// SelectedMailbox is what a server says of the mailbox that is selected (RFC 9051
// §7.1, §7.4). Numbers that it did not say are 0.
type SelectedMailbox struct {
	Name           string // in UTF-8, as it was selected
	ReadOnly       bool
	Exists         uint32      // messages
	Recent         uint32      // with \Recent
	FirstUnseen    uint32      // sequence number; 0 = none, or not said
	UIDValidity    UIDValidity // 0 = not said: UIDs mean nothing later
	UIDNext        UID         // 0 = not said
	UIDNotSticky   bool        // RFC 4315 §3
	HighestModSeq  ModSeq      // 0 = not said, or NOMODSEQ
	NoModSeq       bool        // the mailbox keeps none (RFC 7162 §3.1.2.2)
	MailboxID      string      // RFC 8474 §4.2; "" = not said
	Flags          FlagList    // that messages can have
	PermanentFlags FlagList    // those of Flags where the server did not say (RFC 9051 §7.1)
	Vanished       UIDSet      // gone since the QResync that SELECT had
}
