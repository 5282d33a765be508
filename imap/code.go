package imap

// Code is the first word of a response code (RFC 3501 §7.1, RFC 5530 §3),
// without brackets.
type Code string

// The codes that this module sends or knows.
const (
	CodeAlert          Code = "ALERT"
	CodeBadCharset     Code = "BADCHARSET"
	CodeCapability     Code = "CAPABILITY"
	CodeParse          Code = "PARSE"
	CodePermanentFlags Code = "PERMANENTFLAGS"
	CodeReadOnly       Code = "READ-ONLY"
	CodeReadWrite      Code = "READ-WRITE"
	CodeTryCreate      Code = "TRYCREATE"
	CodeUIDNext        Code = "UIDNEXT"
	CodeUIDValidity    Code = "UIDVALIDITY"
	CodeUnseen         Code = "UNSEEN"

	CodeMailboxID            Code = "MAILBOXID"            // RFC 8474 §4.1
	CodeMetadata             Code = "METADATA"             // RFC 5464 §4.2.1, §4.3
	CodeAppendUID            Code = "APPENDUID"            // RFC 4315 §3
	CodeCopyUID              Code = "COPYUID"              // RFC 4315 §3
	CodeUIDNotSticky         Code = "UIDNOTSTICKY"         // RFC 4315 §3
	CodeClosed               Code = "CLOSED"               // RFC 7162 §3.2.11
	CodeHighestMod           Code = "HIGHESTMODSEQ"        // RFC 7162 §3.1.2.1
	CodeNoModSeq             Code = "NOMODSEQ"             // RFC 7162 §3.1.2.2
	CodeModified             Code = "MODIFIED"             // RFC 7162 §3.1.3
	CodeBadEvent             Code = "BADEVENT"             // RFC 5465 §8
	CodeNotificationOverflow Code = "NOTIFICATIONOVERFLOW" // RFC 5465 §5.8
	CodeTooFew               Code = "TOOFEW"               // RFC 10022 §3.1.3.2
	CodeTooMany              Code = "TOOMANY"              // RFC 10022 §3.1.5
	CodeMessageLimit         Code = "MESSAGELIMIT"         // RFC 9738 §3.1
	CodeUIDRequired          Code = "UIDREQUIRED"          // RFC 9586 §3
	CodeTooBig               Code = "TOOBIG"               // RFC 4469 §4.2
	CodeURLMech              Code = "URLMECH"              // RFC 4467 §8
	CodeBadURL               Code = "BADURL"               // RFC 4469 §4.1
	CodeCompressionActive    Code = "COMPRESSIONACTIVE"    // RFC 4978 §3
	CodeUnknownCTE           Code = "UNKNOWN-CTE"          // RFC 3516 §4.3
	CodeUseAttr              Code = "USEATTR"              // RFC 6154 §6

	// RFC 5530 §3.
	CodeUnavailable          Code = "UNAVAILABLE"
	CodeAuthenticationFailed Code = "AUTHENTICATIONFAILED"
	CodeAuthorizationFailed  Code = "AUTHORIZATIONFAILED"
	CodeExpired              Code = "EXPIRED"
	CodePrivacyRequired      Code = "PRIVACYREQUIRED"
	CodeContactAdmin         Code = "CONTACTADMIN"
	CodeNoPerm               Code = "NOPERM"
	CodeInUse                Code = "INUSE"
	CodeExpungeIssued        Code = "EXPUNGEISSUED"
	CodeCorruption           Code = "CORRUPTION"
	CodeServerBug            Code = "SERVERBUG"
	CodeClientBug            Code = "CLIENTBUG"
	CodeCannot               Code = "CANNOT"
	CodeLimit                Code = "LIMIT"
	CodeOverQuota            Code = "OVERQUOTA"
	CodeAlreadyExists        Code = "ALREADYEXISTS"
	CodeNonExistent          Code = "NONEXISTENT"
)
