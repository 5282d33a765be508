package answer

// SendRequest puts a message into the queue.
type SendRequest struct {
	File string   `json:"file"` // absolute; its lines end in CRLF
	From string   `json:"from"` // "" = the null sender
	To   []string `json:"to"`
	ID   string   `json:"id"` // of the message; a second request with the same does nothing
	AsIs bool     `json:"as_is,omitempty"`
	UTF8 bool     `json:"utf8,omitempty"`
}

// Queued is what became of each recipient of a message, in their order.
type Queued struct {
	Recipients []QueuedRecipient `json:"recipients"`
}

// QueuedRecipient was queued, or refused for a reason.
type QueuedRecipient struct {
	Address   string `json:"address"`
	Refused   string `json:"refused,omitempty"` // the reply; "" = queued
	Permanent bool   `json:"permanent,omitempty"`
}
