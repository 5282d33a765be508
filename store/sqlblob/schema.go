package sqlblob

import "github.com/mailstead/mailstead/store/sqldb"

// component names the tables in the migrations of the database.
const component = "blobs"

// States of a row.
const (
	writing = 0
	whole   = 1
	gone    = 2
)

func schema() []sqldb.Migration {
	return []sqldb.Migration{{
		// state: see above; since: when a row came to be, or was deleted;
		// created: of the blob, both in seconds since 1970. sums: see
		// objects.Sums. mark: of the collector that condemned it last. body:
		// NULL where the octets are an object.
		`CREATE TABLE blob_body (
			ref {text} PRIMARY KEY,
			state {int} NOT NULL,
			size {int} NOT NULL,
			sums {blob} NOT NULL,
			created {int} NOT NULL,
			since {int} NOT NULL,
			mark {blob},
			body {blob})`,
		`CREATE INDEX blob_body_unsettled ON blob_body (state, since) WHERE state <> 1`,
	}}
}

const (
	insertRow = `INSERT INTO blob_body (ref, state, size, sums, created, since, body) VALUES (?, ?, ?, ?, ?, ?, ?)`

	makeWhole = `UPDATE blob_body SET state = 1 WHERE ref = ? AND state = 0`

	// giveUp is for an intent alone.
	giveUp = `UPDATE blob_body SET state = 2, since = ? WHERE ref = ? AND state = 0`

	selectBlob = `SELECT size, sums, body FROM blob_body WHERE ref = ? AND state = 1`
	selectSize = `SELECT size FROM blob_body WHERE ref = ? AND state = 1`

	listBlobs = `SELECT ref, size, created FROM blob_body WHERE ref > ? AND state = 1 ORDER BY ref LIMIT 500`

	// adoptOne adopts in a transaction that can only execute; it writes the
	// row, to lock it.
	adoptOne = `UPDATE blob_body SET mark = NULL WHERE ref = ? AND state = 1`

	deleteInline = `DELETE FROM blob_body WHERE ref = ? AND body IS NOT NULL`
	deleteObject = `UPDATE blob_body SET state = 2, since = ?, mark = NULL WHERE ref = ? AND body IS NULL AND state = 1`

	// The statements of the sweep. The condition of the index is repeated, as
	// SQLite does not prove it.
	selectLate = `SELECT ref FROM blob_body WHERE state = 0 AND state <> 1 AND since < ? ORDER BY state, since LIMIT 100`
	selectGone = `SELECT ref FROM blob_body WHERE state = 2 AND state <> 1 AND since < ? ORDER BY state, since LIMIT 100`
	forget     = `DELETE FROM blob_body WHERE ref = ? AND state = 2`
)
