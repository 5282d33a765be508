// Package faulty has the tests of the file-backed engines on a file system that
// fails on demand: a full disk, an fsync that fails, unreadable files. The file
// system is internal/powercut -serve, in a process of its own; it needs Linux,
// root and FUSE. Where these are missing the tests are skipped, and fail with
// MAILSTEAD_PEERS=required.
package faulty
