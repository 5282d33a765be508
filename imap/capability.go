package imap

// Capability is a word of the CAPABILITY response (RFC 3501 §7.2.1).
type Capability string

// The capabilities that this module knows.
const (
	CapIMAP4rev1     Capability = "IMAP4rev1"      // RFC 3501
	CapIMAP4rev2     Capability = "IMAP4rev2"      // RFC 9051
	CapStartTLS      Capability = "STARTTLS"       // RFC 3501 §6.2.1
	CapLoginDisabled Capability = "LOGINDISABLED"  // RFC 3501 §6.2.3
	CapSASLIR        Capability = "SASL-IR"        // RFC 4959
	CapLiteralPlus   Capability = "LITERAL+"       // RFC 7888
	CapID            Capability = "ID"             // RFC 2971
	CapEnable        Capability = "ENABLE"         // RFC 5161
	CapIdle          Capability = "IDLE"           // RFC 2177
	CapNamespace     Capability = "NAMESPACE"      // RFC 2342
	CapChildren      Capability = "CHILDREN"       // RFC 3348
	CapUIDPlus       Capability = "UIDPLUS"        // RFC 4315
	CapUnselect      Capability = "UNSELECT"       // RFC 3691
	CapESearch       Capability = "ESEARCH"        // RFC 4731
	CapMove          Capability = "MOVE"           // RFC 6851
	CapMultiAppend   Capability = "MULTIAPPEND"    // RFC 3502
	CapListExtended  Capability = "LIST-EXTENDED"  // RFC 5258
	CapListStatus    Capability = "LIST-STATUS"    // RFC 5819
	CapListMyRights  Capability = "LIST-MYRIGHTS"  // RFC 8440
	CapListMetadata  Capability = "LIST-METADATA"  // RFC 9590
	CapStatusSize    Capability = "STATUS=SIZE"    // RFC 8438
	CapAppendLimit   Capability = "APPENDLIMIT"    // RFC 7889
	CapACL           Capability = "ACL"            // RFC 4314
	CapRights        Capability = "RIGHTS=texk"    // RFC 4314 §2.2
	CapQuota         Capability = "QUOTA"          // RFC 9208
	CapQuotaSet      Capability = "QUOTASET"       // RFC 9208 §4.1.3
	CapMetadata      Capability = "METADATA"       // RFC 5464
	CapSpecialUse    Capability = "SPECIAL-USE"    // RFC 6154
	CapBinary        Capability = "BINARY"         // RFC 3516
	CapPreview       Capability = "PREVIEW"        // RFC 8970
	CapSaveDate      Capability = "SAVEDATE"       // RFC 8514
	CapCatenate      Capability = "CATENATE"       // RFC 4469
	CapURLAuth       Capability = "URLAUTH"        // RFC 4467
	CapURLAuthBinary Capability = "URLAUTH=BINARY" // RFC 5524
	CapURLPartial    Capability = "URL-PARTIAL"    // RFC 5550 §2.7
	CapJMAPAccess    Capability = "JMAPACCESS"     // RFC 9698
	CapReplace       Capability = "REPLACE"        // RFC 8508
	CapUTF8Accept    Capability = "UTF8=ACCEPT"    // RFC 9755
	CapUTF8Only      Capability = "UTF8=ONLY"      // RFC 9755
	CapObjectID      Capability = "OBJECTID"       // RFC 8474
	CapCondStore     Capability = "CONDSTORE"      // RFC 7162
	CapQResync       Capability = "QRESYNC"        // RFC 7162
	CapUIDOnly       Capability = "UIDONLY"        // RFC 9586
	CapUIDBatches    Capability = "UIDBATCHES"     // RFC 10022
	CapNotify        Capability = "NOTIFY"         // RFC 5465

	CapLiteralMinus   Capability = "LITERAL-"         // RFC 7888 §5
	CapCompress       Capability = "COMPRESS=DEFLATE" // RFC 4978
	CapUnauthenticate Capability = "UNAUTHENTICATE"   // RFC 8437

	CapMetadataServer Capability = "METADATA-SERVER" // RFC 5464

	// The resources that a quota can limit (RFC 9208 §5).
	CapQuotaStorage Capability = "QUOTA=RES-STORAGE"
	CapQuotaMessage Capability = "QUOTA=RES-MESSAGE"
	CapQuotaMailbox Capability = "QUOTA=RES-MAILBOX"

	// CapCreateSpecial is the USE parameter of CREATE (RFC 6154 §3).
	CapCreateSpecial Capability = "CREATE-SPECIAL-USE"
)

// The capabilities of searching, sorting and threading.
const (
	CapSearchRes            Capability = "SEARCHRES"             // RFC 5182
	CapWithin               Capability = "WITHIN"                // RFC 5032
	CapPartial              Capability = "PARTIAL"               // RFC 9394
	CapInProgress           Capability = "INPROGRESS"            // RFC 9585
	CapMultiSearch          Capability = "MULTISEARCH"           // RFC 7377
	CapSearchFuzzy          Capability = "SEARCH=FUZZY"          // RFC 6203
	CapContextSearch        Capability = "CONTEXT=SEARCH"        // RFC 5267
	CapContextSort          Capability = "CONTEXT=SORT"          // RFC 5267
	CapSort                 Capability = "SORT"                  // RFC 5256
	CapSortDisplay          Capability = "SORT=DISPLAY"          // RFC 5957
	CapESort                Capability = "ESORT"                 // RFC 5267
	CapThreadOrderedSubject Capability = "THREAD=ORDEREDSUBJECT" // RFC 5256
	CapThreadReferences     Capability = "THREAD=REFERENCES"     // RFC 5256
	CapThreadRefs           Capability = "THREAD=REFS"           // no RFC; see internal/imapthread
)

// CapSaveLimit and CapMessageLimit are announced with "=" and a number of
// messages (RFC 9738 §3).
const (
	CapSaveLimit    Capability = "SAVELIMIT"
	CapMessageLimit Capability = "MESSAGELIMIT"
)

// CapAuth is the capability of a SASL mechanism.
func CapAuth(mechanism string) Capability { return Capability("AUTH=" + mechanism) }
