package imap

// Capability is a word of the CAPABILITY response (RFC 3501 §7.2.1).
type Capability string

// The capabilities that this module knows.
const (
	CapIMAP4rev1     Capability = "IMAP4rev1"        // RFC 3501
	CapIMAP4rev2     Capability = "IMAP4rev2"        // RFC 9051
	CapStartTLS      Capability = "STARTTLS"         // RFC 3501 §6.2.1
	CapLoginDisabled Capability = "LOGINDISABLED"    // RFC 3501 §6.2.3
	CapSASLIR        Capability = "SASL-IR"          // RFC 4959
	CapLiteralPlus   Capability = "LITERAL+"         // RFC 7888
	CapLiteralMinus  Capability = "LITERAL-"         // RFC 7888 §5
	CapID            Capability = "ID"               // RFC 2971
	CapCompress      Capability = "COMPRESS=DEFLATE" // RFC 4978

	// CapUnauthenticate is RFC 8437.
	CapUnauthenticate Capability = "UNAUTHENTICATE"

	CapEnable      Capability = "ENABLE"      // RFC 5161
	CapIdle        Capability = "IDLE"        // RFC 2177
	CapNamespace   Capability = "NAMESPACE"   // RFC 2342
	CapChildren    Capability = "CHILDREN"    // RFC 3348
	CapUIDPlus     Capability = "UIDPLUS"     // RFC 4315
	CapUnselect    Capability = "UNSELECT"    // RFC 3691
	CapESearch     Capability = "ESEARCH"     // RFC 4731
	CapMove        Capability = "MOVE"        // RFC 6851
	CapMultiAppend Capability = "MULTIAPPEND" // RFC 3502
	CapSpecialUse  Capability = "SPECIAL-USE" // RFC 6154
	CapCondStore   Capability = "CONDSTORE"   // RFC 7162
	CapQResync     Capability = "QRESYNC"     // RFC 7162
	CapUIDOnly     Capability = "UIDONLY"     // RFC 9586
	CapUIDBatches  Capability = "UIDBATCHES"  // RFC 10022
	CapNotify      Capability = "NOTIFY"      // RFC 5465

	// CapCreateSpecial is the USE parameter of CREATE (RFC 6154 §3).
	CapCreateSpecial Capability = "CREATE-SPECIAL-USE"
)

// CapSaveLimit and CapMessageLimit are announced with "=" and a number of
// messages (RFC 9738 §3).
const (
	CapSaveLimit    Capability = "SAVELIMIT"
	CapMessageLimit Capability = "MESSAGELIMIT"
)

// CapAuth is the capability of a SASL mechanism.
func CapAuth(mechanism string) Capability { return Capability("AUTH=" + mechanism) }
