package sqlreport

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mailstead/mailstead/auth/dmarc/report"
	"github.com/mailstead/mailstead/store/sqldb"
)

// Options are the choices of a Storage; the zero value is useful.
type Options struct {
	// MaxReports bounds the reports of all days. Zero = 100,000.
	MaxReports int

	// MaxRecords bounds the records of a report. Zero = 10,000.
	MaxRecords int
}

// Storage is a report.Storage in a database. Any number of goroutines may call
// its methods.
type Storage struct {
	db                     *sqldb.DB
	maxReports, maxRecords int64
}

var _ report.Storage = (*Storage)(nil)

// New makes the tables, or brings them up to date. The caller opens and closes
// db. sqldb.ErrVersion: a newer version made the tables.
func New(ctx context.Context, db *sqldb.DB, o Options) (*Storage, error) {
	s := &Storage{db: db, maxReports: int64(cmp.Or(o.MaxReports, 100_000)), maxRecords: int64(cmp.Or(o.MaxRecords, 10_000))}
	return s, db.Migrate(ctx, "dmarcreport", []sqldb.Migration{{
		`CREATE TABLE dmarc_report (
			day {int} NOT NULL, domain {text} NOT NULL, policy {blob} NOT NULL, records {int} NOT NULL,
			PRIMARY KEY (day, domain)) {clustered}`,
		`CREATE TABLE dmarc_record (
			day {int} NOT NULL, domain {text} NOT NULL, hash {blob} NOT NULL, record {blob} NOT NULL, messages {int} NOT NULL,
			PRIMARY KEY (day, domain, hash)) {clustered}`,
	}})
}

const (
	// What is there is locked by being written, before it is read.
	sqlTouch = `UPDATE dmarc_report SET policy = ? WHERE day = ? AND domain = ?`

	sqlBegin = `INSERT INTO dmarc_report (day, domain, policy, records) VALUES (?, ?, ?, 0)
		ON CONFLICT (day, domain) DO UPDATE SET policy = excluded.policy`

	sqlReports = `SELECT COUNT(*) FROM dmarc_report`

	sqlRecords = `SELECT records FROM dmarc_report WHERE day = ? AND domain = ?`

	sqlSetRecords = `UPDATE dmarc_report SET records = ? WHERE day = ? AND domain = ?`

	sqlCount = `UPDATE dmarc_record SET messages = messages + ? WHERE day = ? AND domain = ? AND hash = ?`

	sqlInsert = `INSERT INTO dmarc_record (day, domain, hash, record, messages) VALUES (?, ?, ?, ?, ?)`

	sqlDue = `SELECT day, domain FROM dmarc_report WHERE day < ? AND (day > ? OR day = ? AND domain > ?)
		ORDER BY day, domain LIMIT CAST(? AS {int})`

	sqlPolicy = `SELECT policy FROM dmarc_report WHERE day = ? AND domain = ?`

	sqlLoad = `SELECT record, messages FROM dmarc_record WHERE day = ? AND domain = ?`

	sqlDeleteRecords = `DELETE FROM dmarc_record WHERE day = ? AND domain = ?`

	sqlDeleteReport = `DELETE FROM dmarc_report WHERE day = ? AND domain = ?`
)

// row is a record on its way into the database.
type row struct {
	report.Key
	policy, record, hash []byte
	messages             int64
}

// Add implements report.Storage.
func (s *Storage) Add(ctx context.Context, counted []report.Counted) (dropped int64, err error) {
	rows, err := encode(counted)
	if err != nil {
		return 0, err
	}
	err = s.commit(ctx, len(rows), func(tx *sqldb.Tx) error {
		dropped = 0
		for chunk := range chunks(rows) {
			n, err := s.add(tx, chunk)
			if err != nil {
				return err
			}
			dropped += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("sqlreport: add: %w", err)
	}
	return dropped, nil
}

func (s *Storage) commit(ctx context.Context, cost int, do func(*sqldb.Tx) error) error {
	return s.db.Commit(ctx, sqldb.Work{Key: "dmarcreport", Cost: cost, Do: do})
}

// encode are the rows of what was counted, in the order of their keys, so that
// two processes never wait in a circle.
func encode(counted []report.Counted) ([]row, error) {
	rows := make([]row, len(counted))
	for i := range counted {
		c := &counted[i]
		hash := c.Record.Hash()
		record := c.Record
		record.Count = 0
		r := row{Key: c.Key, hash: hash[:], messages: c.Record.Count}
		var err error
		if r.record, err = json.Marshal(record); err != nil {
			return nil, err
		}
		if r.policy, err = json.Marshal(c.Policy); err != nil {
			return nil, err
		}
		rows[i] = r
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Domain, b.Domain), bytes.Compare(a.hash, b.hash))
	})
	return rows, nil
}

// chunks are the rows of each report.
func chunks(rows []row) func(yield func([]row) bool) {
	return func(yield func([]row) bool) {
		for len(rows) > 0 {
			n := slices.IndexFunc(rows, func(r row) bool { return r.Key != rows[0].Key })
			if n < 0 {
				n = len(rows)
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// add adds the rows of one report.
func (s *Storage) add(tx *sqldb.Tx, rows []row) (dropped int64, err error) {
	ok, err := s.begin(tx, &rows[len(rows)-1])
	if err != nil || !ok {
		return messages(rows), err
	}
	day, domain := rows[0].Day, rows[0].Domain
	records, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, sqlRecords, day, domain)
	if err != nil {
		return 0, err
	}
	before := records
	for i := range rows {
		r := &rows[i]
		known, err := changed(tx.Exec(sqlCount, r.messages, day, domain, r.hash))
		switch {
		case err != nil:
			return 0, err
		case known:
			continue
		case records >= s.maxRecords:
			dropped += r.messages
			continue
		}
		if _, err := tx.Exec(sqlInsert, day, domain, r.hash, r.record, r.messages); err != nil {
			return 0, err
		}
		records++
	}
	if records != before {
		_, err = tx.Exec(sqlSetRecords, records, day, domain)
	}
	return dropped, err
}

// begin makes the row of a report, or locks it; ok is false where there is no
// room for it.
func (s *Storage) begin(tx *sqldb.Tx, r *row) (ok bool, err error) {
	known, err := changed(tx.Exec(sqlTouch, r.policy, r.Day, r.Domain))
	if err != nil || known {
		return known, err
	}
	n, _, err := sqldb.One(tx.Context(), tx, sqldb.Int64, sqlReports)
	if err != nil || n >= s.maxReports {
		return false, err
	}
	_, err = tx.Exec(sqlBegin, r.Day, r.Domain, r.policy)
	return err == nil, err
}

// changed reports whether a statement has changed a row.
func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func messages(rows []row) (n int64) {
	for i := range rows {
		n += rows[i].messages
	}
	return n
}

// Due implements report.Storage.
func (s *Storage) Due(ctx context.Context, before report.Day, after report.Key, limit int) ([]report.Key, error) {
	keys, err := sqldb.Collect(ctx, s.db, func(r *sql.Rows) (key report.Key, err error) {
		err = r.Scan(&key.Day, &key.Domain)
		return key, err
	}, sqlDue, before, after.Day, after.Day, after.Domain, limit)
	if err != nil {
		return nil, fmt.Errorf("sqlreport: due: %w", err)
	}
	return keys, nil
}

// Load implements report.Storage.
func (s *Storage) Load(ctx context.Context, key report.Key) (*report.Report, error) {
	policy, ok, err := sqldb.One(ctx, s.db, func(r *sql.Rows) (p report.Policy, err error) {
		var raw []byte
		if err = r.Scan(&raw); err == nil {
			err = json.Unmarshal(raw, &p)
		}
		return p, err
	}, sqlPolicy, key.Day, key.Domain)
	if err != nil {
		return nil, fmt.Errorf("sqlreport: load: %w", err)
	}
	if !ok {
		return nil, nil
	}
	rep := &report.Report{Policy: policy}
	rep.Records, err = sqldb.Collect(ctx, s.db, func(r *sql.Rows) (rec report.Record, err error) {
		var raw []byte
		var n int64
		if err = r.Scan(&raw, &n); err == nil {
			err = json.Unmarshal(raw, &rec)
		}
		rec.Count = n
		return rec, err
	}, sqlLoad, key.Day, key.Domain)
	if err != nil {
		return nil, fmt.Errorf("sqlreport: load: %w", err)
	}
	return rep, nil
}

// Delete implements report.Storage.
func (s *Storage) Delete(ctx context.Context, key report.Key) error {
	err := s.commit(ctx, 0, func(tx *sqldb.Tx) error {
		if _, err := tx.Exec(sqlDeleteReport, key.Day, key.Domain); err != nil {
			return err
		}
		_, err := tx.Exec(sqlDeleteRecords, key.Day, key.Domain)
		return err
	})
	if err != nil {
		return fmt.Errorf("sqlreport: delete: %w", err)
	}
	return nil
}
