// Package segment keeps blobs in append-only files on one machine. It is the
// engine behind the embedded store: one sync makes durable what any number of
// writers wait for.
//
// # Files
//
//	lock                       held by the process that owns the directory
//	NNNNNNNNNN.GGGGGGGG.seg    shared segment: number, generation; many records
//	NNNNNNNNNN.GGGGGGGG.one    segment of a single body that is larger than MaxShared
//	NNNNNNNNNN.GGGGGGGG.del    tombstones of that generation of that segment
//	spool-N.tmp                what is not part of the store yet; removed by Open
//	quarantine/FILE@OFFSET.bad octets that made no sense, copied before anything else is done
//
// A segment is a file header and records; a record is a header with the size,
// the origin, the time and the CRC-32C of the body, and the body itself. The
// origin is the offset at which the record was first written. A [blob.Ref]
// names segment number, origin, size and checksum.
//
// Compaction writes the living records of a segment into the next generation
// of the same number, with a table from origins to offsets at its end, so a
// Ref never changes. Later generations, and full segments, are never written
// again.
//
// Every file has a random salt, which goes into the checksums of its record
// headers: no sender can compose a body that would pass for a record when
// damage has to be skipped.
//
// # Invariants
//
// The invariants of package blob, and these:
//
//   - S1: the name and the header of a segment are durable before a Ref in it
//     is acknowledged.
//   - S2: a shared segment is synced as a whole before the next one begins, so
//     only the last one can be torn.
//   - S3: what lies beyond the durable end of the active segment is not
//     visible to anybody.
//   - S4: the segment with the highest number is never removed, so numbers
//     are never given out twice.
//   - S5: at every instant some generation of every segment is whole and
//     durable; Open takes the highest.
//   - S6: after a failed sync nothing is acknowledged (blob.ErrPoisoned), for
//     the kernel may have dropped what it could not write. Reading goes on.
//     The next Open writes the tail of the last segment again, for it may read
//     what the disk does not have.
//   - S7: a slow writer holds a buffer or a file of its own, never something
//     that another one waits for.
//
// # What a crash leaves
//
//	power cut during         on disk                            Open
//	writing a body           spool                              removes it
//	appending a group        a torn end                         sets it aside unless it is zeros, cuts it, and syncs
//	                         holes between whole records        sets them aside, keeps the whole ones
//	after the sync           whole records, not acknowledged    keeps them; the collector decides
//	finishing a single       spool, or a whole .one             removes it, or keeps it
//	beginning a segment      spool, or an empty segment         removes it, or goes on in it
//	writing tombstones       some of them                       ignores torn ones
//	compaction, before the rename    spool and old generation           removes the spool
//	compaction, after the rename     both generations                   removes the old one
//	removing a segment       its tombstones alone               removes them
//
// A full disk is no damage: those who wait get the error, the active segment
// is cut back to its last good end, and the next commit tries again.
//
// # Limits
//
// A body has at most 2^39 octets. Bodies larger than MaxShared take one
// directory entry each. The lock of the directory needs flock(2); on a system
// without it Open fails with errors.ErrUnsupported.
//
// # Lock order
//
// maint (a channel: Delete and Compact) before Store.mu, before cache.mu,
// before segment.mu. The active segment, and the end of every file, belong to
// the committer goroutine, which ends with Close. No lock is held while a
// caller's code runs.
package segment
