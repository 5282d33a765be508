// Package sqllogin keeps the users of auth/login in a SQL database, through
// database/sql. It links no driver: the caller opens the database.
//
//	db, err := sql.Open("sqlite", "users.db")
//	users := &sqllogin.Backend{DB: db, Dialect: sqllogin.SQLite}
//	err = users.Migrate(ctx)
//	svc := &login.Service{
//		Backend: users,
//		Guard:   &login.Throttle{Store: &sqllogin.Guard{Backend: users}, Key: key},
//	}
//
// # Tables
//
// All carry Backend.Prefix in front of their names.
//
//	login_users          username (canonical, primary key), account, hash, secrets (with spaces
//	                     between), disabled (0 or 1), app_only (0 or 1), allow_nets (with commas
//	                     between, see login.ParseNets)
//	login_app_passwords  username and name (primary key), hash, protocols (with spaces between),
//	                     created and used (seconds since 1970, 0: unknown or never)
//	login_guard          username and prefix (primary key; one of them may be ''), failures and failed,
//	                     attempts and attempted, succeeded and peer; times in microseconds
//	login_guard_wrong    digest (primary key) of a wrong password under Throttle.Key, seen
//	login_schema         one row: id = 1, version of the tables
//
// Users may be written by others: username and account hold the form that
// login.Canonical returns, hash what login.CheckHash accepts or nothing.
//
// # Invariants
//
//   - I1: A failure of the database is never login.ErrNoUser.
//   - I2: Migrate changes nothing that a newer version wrote, and several
//     processes may call it at once.
//   - I3: The app passwords of a user go with the user, in one transaction.
//   - I4: Transactions of a Guard lock rows in the order of username and prefix.
//   - I5: No row, connection or transaction is held while the loop body of
//     Accounts runs.
//
// How durable a change is when a method returns is the database's: SQLite needs
// synchronous=FULL in WAL mode, PostgreSQL synchronous_commit=on.
package sqllogin
