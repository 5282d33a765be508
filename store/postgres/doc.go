// Package postgres keeps mail and queues in PostgreSQL, for several nodes on
// the same data.
package postgres
