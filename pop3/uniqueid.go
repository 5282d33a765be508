package pop3

// ValidUniqueID reports whether s can be a unique-id: 1 to 70 characters of
// 0x21 to 0x7E (RFC 1939 §7).
func ValidUniqueID(s string) bool {
	if len(s) == 0 || len(s) > MaxUniqueID {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
