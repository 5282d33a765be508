// Package sqlstore is a store.Store in a SQL database, with bodies in a
// blob.Blobs. It speaks database/sql alone; an engine such as
// store/sqlite brings the driver, the dialect and the blobs.
package sqlstore
