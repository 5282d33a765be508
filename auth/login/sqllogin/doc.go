// Package sqllogin keeps the users of auth/login in a SQL database, through
// database/sql. It links no driver: the caller opens the database.
//
//	db, err := sql.Open("sqlite", "users.db")
//	users := &sqllogin.Backend{DB: db, Dialect: sqllogin.SQLite}
//	err = users.Migrate(ctx)
//	svc := &login.Service{Backend: users}
//
// # Tables
//
// Both carry Backend.Prefix in front of their names.
//
//	login_users    username (canonical, primary key), account, hash, disabled (0 or 1)
//	login_schema   one row: id = 1, version of the tables
//
// The tables may be written by others: username and account hold the form that
// login.Canonical returns, hash what login.CheckHash accepts or nothing.
//
// # Invariants
//
//   - I1: A failure of the database is never login.ErrNoUser.
//   - I2: Migrate changes nothing that a newer version wrote, and several
//     processes may call it at once.
//   - I3: No row, connection or transaction is held while the loop body of
//     Accounts runs.
//
// How durable a change is when a method returns is the database's: SQLite needs
// synchronous=FULL in WAL mode, PostgreSQL synchronous_commit=on.
package sqllogin
