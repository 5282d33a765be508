package answer

// Skip is a message, or a mailbox, that was not copied.
type Skip struct {
	Mailbox string `json:"mailbox"`
	Message string `json:"message,omitempty"` // its ID in the source; "" = the mailbox
	Size    int64  `json:"size,omitempty"`
	Reason  string `json:"reason"`
	Text    string `json:"text,omitempty"`
}
