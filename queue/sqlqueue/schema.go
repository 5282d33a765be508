package sqlqueue

import "github.com/mailstead/mailstead/store/sqldb"

// component names the queue's tables in the migrations of the database.
const component = "queue"

// schema is every version of the tables. Times are nanoseconds since 1970.
func schema() []sqldb.Migration {
	return []sqldb.Migration{{
		// rank is that of queue.Job; next is when the job falls due, or never;
		// sender is folded.
		`CREATE TABLE queue_job (
			id {text} NOT NULL PRIMARY KEY,
			message {text} NOT NULL,
			dest {text} NOT NULL, rank {int} NOT NULL, next {int} NOT NULL,
			created {int} NOT NULL,
			sender {text} NOT NULL, identity {text} NOT NULL,
			blob {text} NOT NULL,
			record {blob} NOT NULL) {clustered}`,
		`CREATE INDEX queue_pick ON queue_job (dest, rank, next, id)`,
		`CREATE INDEX queue_blob ON queue_job (blob)`,
		`CREATE INDEX queue_created ON queue_job (created)`,

		`CREATE TABLE queue_lane (
			dest {text} NOT NULL, rank {int} NOT NULL, next {int} NOT NULL,
			PRIMARY KEY (dest, rank)) {clustered}`,
		`CREATE INDEX queue_due ON queue_lane (next, dest, rank)`,

		// at: nanoseconds of the Put.
		`CREATE TABLE queue_once (key {text} NOT NULL PRIMARY KEY, at {int} NOT NULL) {clustered}`,
		`CREATE INDEX queue_once_at ON queue_once (at)`,

		`CREATE TABLE queue_released (
			period {int} NOT NULL, blob {text} NOT NULL,
			PRIMARY KEY (period, blob)) {clustered}`,

		`CREATE TABLE queue_count (name {text} NOT NULL PRIMARY KEY, n {int} NOT NULL) {clustered}`,
	}, {
		// rank was the priority alone, negated.
		`UPDATE queue_job SET rank = rank * 64`,
		`UPDATE queue_lane SET rank = rank * 64`,
	}}
}

// rowsComponent names how the table of jobs lies in the database of one process.
const rowsComponent = "queue_rows"

// rowsSchema is every version of that. Rows of jobs are too large for a tree
// that is sorted by ID: of such rows a page holds six, above the leaves too, and each
// new one, anywhere in it, is a page of a commit. Here they lie one after the other
// as they come, and mostly go in that order.
func rowsSchema() []sqldb.Migration {
	return []sqldb.Migration{{
		`ALTER TABLE queue_job RENAME TO queue_job_by_id`,
		`CREATE TABLE queue_job (
			id {text} NOT NULL,
			message {text} NOT NULL,
			dest {text} NOT NULL, rank {int} NOT NULL, next {int} NOT NULL,
			created {int} NOT NULL,
			sender {text} NOT NULL, identity {text} NOT NULL,
			blob {text} NOT NULL,
			record {blob} NOT NULL)`,
		`INSERT INTO queue_job (` + columnNames + `) SELECT ` + columnNames + ` FROM queue_job_by_id ORDER BY created`,
		`DROP TABLE queue_job_by_id`,
		`CREATE UNIQUE INDEX queue_id ON queue_job (id)`,
		`CREATE INDEX queue_pick ON queue_job (dest, rank, next, id)`,
		`CREATE INDEX queue_blob ON queue_job (blob)`,
		`CREATE INDEX queue_created ON queue_job (created)`,
	}}
}

// The statements that write.
const (
	insertJob = `INSERT INTO queue_job (id, message, dest, rank, next, created, sender, identity, blob, record)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`
	updateJob  = `UPDATE queue_job SET dest = ?, rank = ?, next = ?, record = ? WHERE id = ?`
	deleteJob  = `DELETE FROM queue_job WHERE id = ?`
	insertOnce = `INSERT INTO queue_once (key, at) VALUES (?, ?) ON CONFLICT (key) DO NOTHING`
	lowerLane  = `INSERT INTO queue_lane (dest, rank, next) VALUES (?, ?, ?)
		ON CONFLICT (dest, rank) DO UPDATE SET next = excluded.next WHERE excluded.next < queue_lane.next`
	setLane = `INSERT INTO queue_lane (dest, rank, next) VALUES (?, ?, ?)
		ON CONFLICT (dest, rank) DO UPDATE SET next = excluded.next`
	deleteLane = `DELETE FROM queue_lane WHERE dest = ? AND rank = ?`
	release    = `INSERT INTO queue_released (period, blob) VALUES (?, ?) ON CONFLICT (period, blob) DO NOTHING`
	addCount   = `INSERT INTO queue_count (name, n) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET n = queue_count.n + excluded.n`
	purgeReleased = `DELETE FROM queue_released WHERE (period, blob) IN
		(SELECT period, blob FROM queue_released WHERE period < ? ORDER BY period, blob LIMIT 500)`
	purgeOnce = `DELETE FROM queue_once WHERE key IN (SELECT key FROM queue_once WHERE at < ? ORDER BY at LIMIT 500)`
)

// The rows of queue_count.
const (
	countJobs = "jobs"
	countHeld = "held"
)
