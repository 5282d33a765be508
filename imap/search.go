package imap

// SearchReturn is a set of result options of SEARCH (RFC 4731 §3.1).
type SearchReturn uint8

// The result options; zero means the SEARCH response of RFC 3501.
const (
	ReturnMin SearchReturn = 1 << iota
	ReturnMax
	ReturnAll
	ReturnCount
)
