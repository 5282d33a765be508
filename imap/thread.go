package imap

// Thread is one message of a conversation and what answers it (RFC 5256 §4).
// UID 0: a message that is not there.
type Thread struct {
	UID     UID
	Replies []*Thread
}
