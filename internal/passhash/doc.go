// Package passhash reads and checks stored password hashes: those that
// auth/login writes (argon2id) and those that other mail servers left behind.
//
//	scheme                        what it is                            bound
//	ARGON2ID, ARGON2I             Argon2 version 0x13 (RFC 9106)        256 MiB, 4 GiB of memory passes
//	BCRYPT, BLF-CRYPT             $2a$, $2b$, $2y$                      cost 15
//	SHA512-CRYPT, SHA256-CRYPT    $6$, $5$                              1,000,000 rounds
//	MD5-CRYPT, MD5                $1$                                   fixed at 1000 rounds
//	CRYPT                         any of the above, by its prefix
//	PBKDF2                        $1$salt$rounds$hex, SHA-1 (RFC 8018)  2,000,000 rounds
//	SSHA512, SSHA256, SSHA, SMD5  digest of password and salt, salt
//	SHA512, SHA256, SHA, SHA1     digest of the password
//	LDAP-MD5, PLAIN-MD5           digest of the password
//	PLAIN, CLEARTEXT, CLEAR       the password
//
// A scheme stands in braces in front of its text, as Dovecot writes it. Without
// braces the prefix of the modular crypt format says which it is. ".b64",
// ".base64" and ".hex" after the name of a scheme say how its text is encoded.
// DES-CRYPT is refused: it looks at eight octets of a password.
//
// Everything but ARGON2ID is for reading only. Nothing here takes more memory
// or time than the bounds above, whatever a stored hash says.
package passhash
