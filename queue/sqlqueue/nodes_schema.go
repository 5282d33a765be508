package sqlqueue

import (
	"strings"

	"github.com/mailstead/mailstead/store/sqldb"
)

// nodesComponent names the tables that only several nodes need.
const nodesComponent = "queue_nodes"

// nodesSchema is every version of these tables.
func nodesSchema() []sqldb.Migration {
	return []sqldb.Migration{{
		// until is by the database's clock, in microseconds; dest is that of
		// the job when it was leased; edited says what an operator changed
		// since.
		`CREATE TABLE queue_lease (
			job {text} NOT NULL PRIMARY KEY,
			fence {int} NOT NULL, until {int} NOT NULL,
			dest {text} NOT NULL, edited {int} NOT NULL) {clustered}`,

		// Lanes that a job of an application's transaction needs.
		`CREATE TABLE queue_hint (
			job {text} NOT NULL PRIMARY KEY,
			dest {text} NOT NULL, rank {int} NOT NULL, next {int} NOT NULL) {clustered}`,
		`CREATE INDEX queue_hint_dest ON queue_hint (dest)`,
	}, {
		// lost: the lease before this one ended by time, without an outcome.
		`ALTER TABLE queue_lease ADD COLUMN lost {int} NOT NULL DEFAULT 0`,
		`UPDATE queue_hint SET rank = rank * 64`, // as in queue_lane
	}}
}

// The bits of queue_lease.edited.
const (
	editedHold = 1 << iota
	editedDue
)

// texts are the statements for several nodes.
type texts struct {
	once, load                         string
	lanes, ends                        string
	ranks, pick, lease, hold           string
	claim, edited, extend, end         string
	share, repair, raise, fold, hint   string
	release, holds                     string
	stats, addDelta                    string
	purgeOnce, purgeReleased, purgeEnd string
	foldCounts                         string
}

// textsFor writes the statements with now, the expression of the database's
// clock in microseconds.
func textsFor(now string) texts {
	s := func(query string) string {
		query = strings.ReplaceAll(query, "{period}", "({now} / 28800000000)")
		return strings.ReplaceAll(query, "{now}", now)
	}
	free := `NOT EXISTS (SELECT 1 FROM queue_lease x WHERE x.job = j.id AND x.until > {now})`
	return texts{
		once: s(`INSERT INTO queue_once (key, at) VALUES (?, {now} * 1000) ON CONFLICT (key) DO NOTHING`),
		load: `SELECT ` + columnNames + ` FROM queue_job WHERE id = ? FOR UPDATE`,

		// A lane with its first job that is free, and its first of all.
		lanes: s(`SELECT l.dest, l.rank, l.next,
			(SELECT j.next FROM queue_job j WHERE l.next <= ? AND j.dest = l.dest AND j.rank = l.rank AND j.next < ?
				AND ` + free + ` ORDER BY j.next, j.id LIMIT 1),
			(SELECT j.next FROM queue_job j WHERE l.next <= ? AND j.dest = l.dest AND j.rank = l.rank
				ORDER BY j.next, j.id LIMIT 1)
			FROM queue_lane l WHERE (l.next, l.dest, l.rank) > (?, ?, ?) AND l.next < ? AND l.dest <> ALL (?)
			ORDER BY l.next, l.dest, l.rank LIMIT CAST(? AS {int})`),
		ends: s(`SELECT COALESCE((SELECT MIN(until) - {now} FROM queue_lease WHERE until > {now} AND dest <> ALL (?)), -1),
			CASE WHEN EXISTS (SELECT 1 FROM queue_hint) THEN 1 ELSE 0 END`),

		ranks: `SELECT rank, MIN(next) FROM (SELECT rank, next FROM queue_lane WHERE dest = ? AND next <= ?
			UNION ALL SELECT rank, next FROM queue_hint WHERE dest = ?) l GROUP BY rank`,
		pick: s(`SELECT ` + columnNames + ` FROM queue_job j WHERE dest = ? AND rank = ? AND next <= ?
			AND ` + free + ` AND (next, id) > (?, ?) ORDER BY next, id LIMIT CAST(? AS {int}) FOR UPDATE OF j SKIP LOCKED`),
		// Who has seen the end of another's lease too late gets no row.
		lease: s(`INSERT INTO queue_lease (job, fence, until, dest, edited)
			SELECT t.job, ?, {now} + ?, ?, 0 FROM unnest(?::text[]) AS t(job)
			ON CONFLICT (job) DO UPDATE SET fence = excluded.fence, until = excluded.until, dest = excluded.dest, edited = 0, lost = 1
			WHERE queue_lease.until <= {now} RETURNING job, lost`),
		end:  `DELETE FROM queue_lease WHERE job = ?`,
		hold: `UPDATE queue_job SET next = ? WHERE id = ?`,

		claim:  s(`DELETE FROM queue_lease WHERE job = ? AND fence = ? AND until > {now} RETURNING edited`),
		edited: `UPDATE queue_lease SET edited = edited | ? WHERE job = ?`,
		extend: s(`UPDATE queue_lease l SET until = {now} + ? FROM unnest(?::text[], ?::bigint[]) AS t(job, fence)
			WHERE l.job = t.job AND l.fence = t.fence AND l.until > {now} RETURNING l.job, l.fence`),

		share: `SELECT 1 FROM queue_lane WHERE dest = ? AND rank = ? AND next <= ? FOR SHARE`,
		repair: `SELECT l.dest, l.rank FROM unnest(?::text[], ?::bigint[]) AS t(dest, rank)
			JOIN queue_lane l ON l.dest = t.dest AND l.rank = t.rank FOR UPDATE OF l SKIP LOCKED`,
		raise: `WITH first AS (SELECT t.dest, t.rank, (SELECT j.next FROM queue_job j
				WHERE j.dest = t.dest AND j.rank = t.rank ORDER BY j.next, j.id LIMIT 1) AS next
				FROM unnest(?::text[], ?::bigint[]) AS t(dest, rank)),
			gone AS (DELETE FROM queue_lane l USING first f WHERE l.dest = f.dest AND l.rank = f.rank AND f.next IS NULL)
			UPDATE queue_lane l SET next = f.next FROM first f WHERE l.dest = f.dest AND l.rank = f.rank AND l.next < f.next`,
		fold: `DELETE FROM queue_hint WHERE job IN (SELECT job FROM queue_hint ORDER BY job LIMIT 500 FOR UPDATE SKIP LOCKED)
			RETURNING dest, rank, next`,
		hint: `INSERT INTO queue_hint (job, dest, rank, next) VALUES (?, ?, ?, ?)`,

		release: s(`INSERT INTO queue_released (period, blob) SELECT {period}, t.blob FROM unnest(?::text[]) AS t(blob)
			ON CONFLICT (period, blob) DO NOTHING`),
		holds: s(`SELECT blob FROM queue_released WHERE period >= {period} - ? AND period <= {period} AND blob IN `),

		stats: s(`SELECT CAST(COALESCE((SELECT SUM(n) FROM queue_count WHERE name >= 'jobs/' AND name < 'jobs0'), 0) AS BIGINT),
			CAST(COALESCE((SELECT SUM(n) FROM queue_count WHERE name >= 'held/' AND name < 'held0'), 0) AS BIGINT),
			(SELECT COUNT(DISTINCT l.dest) FROM (SELECT dest, rank FROM queue_lane UNION SELECT dest, rank FROM queue_hint) l
				WHERE EXISTS (SELECT 1 FROM queue_job j WHERE j.dest = l.dest AND j.rank = l.rank)),
			(SELECT MIN(created) FROM queue_job),
			(SELECT COUNT(*) FROM queue_lease WHERE until > {now})`),
		addDelta: `INSERT INTO queue_count (name, n) VALUES (?, ?)`,

		purgeOnce: s(`DELETE FROM queue_once WHERE key IN (SELECT key FROM queue_once WHERE at < {now} * 1000 - ?
			ORDER BY at LIMIT 500 FOR UPDATE SKIP LOCKED)`),
		purgeReleased: s(`DELETE FROM queue_released WHERE (period, blob) IN (SELECT period, blob FROM queue_released
			WHERE period < {period} - ? ORDER BY period, blob LIMIT 500 FOR UPDATE SKIP LOCKED)`),
		purgeEnd: s(`DELETE FROM queue_lease WHERE job IN (SELECT job FROM queue_lease WHERE until < {now} - 3600000000
			LIMIT 500 FOR UPDATE SKIP LOCKED)`),
		foldCounts: `DELETE FROM queue_count WHERE name IN (SELECT name FROM queue_count WHERE name >= ? AND name < ? AND name <> ?
			ORDER BY name LIMIT 500 FOR UPDATE SKIP LOCKED) RETURNING n`,
	}
}
