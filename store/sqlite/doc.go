// Package sqlite is the embedded default engine: metadata and queue state in
// one SQLite database, bodies in segment files, both in one directory that one
// process owns.
//
//	DIR/lock       flock of the owner, with its process id
//	DIR/mail.db    the database (with -wal and -shm while it is open)
//	DIR/blobs/     the segment files
//	DIR/search.db  the index of texts, with Options.Search; it may be lost
//
// [Open] returns an [Engine]: its Store is a store.Store, its Blobs the bodies
// that a queue may share, its DB the database with its group committer, on
// which a queue keeps its own tables.
//
// # Durability
//
// The database runs in WAL mode with synchronous=FULL: the write-ahead log is
// synced before a commit is acknowledged. NORMAL would keep the database whole
// but lose acknowledged changes in a power cut. The directory is synced after
// files were made in it, so that they have their names after a power cut.
//
// A directory on a network file system is refused with store.ErrNetworkFS:
// neither the shared memory of the WAL nor the lock nor a sync can be relied on
// there. Options.AllowNetworkFS opens it all the same.
//
// While a store.Snapshot is open SQLite cannot start its WAL anew, which grows
// by what is written meanwhile; sqlstore.Options.SnapshotFor bounds that.
//
// # Search
//
// With Options.Search the accounts are store.Searchers. The index follows the
// change log of each account, one goroutine for all, and holds the trigrams of
// each text that package searchtext finds in a message:
//
//   - S1: a message that is not in the answer does not contain the text; one in
//     Match does. All that the index cannot tell is Unknown: needles of less than
//     three characters, messages that are not indexed yet, longer than 1 MiB or
//     unreadable, and those that have all trigrams of a longer needle.
//   - S2: rows and the UIDs known by them are committed together, and an
//     account's ModSeq after all that came before it.
//   - S3: an index of another version, a damaged one, and what it has of
//     accounts whose database was restored, is dropped and made anew.
//
// # What a crash leaves
//
//	power cut during      leaves                            next Open
//	creation              a directory without accounts      goes on creating
//	Blobs Commit          a body or none, nobody has it     freed or collected
//	Apply                 the Change whole or not at all    SQLite replays the WAL
//	a checkpoint          the database and its WAL          SQLite replays the WAL
//	Close                 the database and its WAL          SQLite replays the WAL
//	indexing              an index that is behind           it follows again
//
// After an fsync that failed nothing is acknowledged until the directory is
// opened again. Open then writes the WAL once more, and the tail of the last
// segment: the kernel may show what it has dropped.
//
// The database is not memory-mapped: a read error would end the process instead
// of the call. SQLite maps the -shm file, which Open makes anew.
package sqlite
