// Package cluster holds the tests of what several nodes share: bodies in an
// object store with their catalogue in a database, adopted by stores and queues
// and taken away by collectors. They need real servers, PostgreSQL and
// versitygw, but for those on SQLite and on objects in memory or in gofakes3.
//
// A test that needs a server which is not installed is skipped and names it;
// with MAILSTEAD_PEERS=required it fails instead.
package cluster
