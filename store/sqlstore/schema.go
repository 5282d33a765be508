package sqlstore

import "github.com/mailstead/mailstead/store/sqldb"

// component names the store's tables in the migrations of the database.
const component = "store"

// schema is every version of the tables. The account's number comes first in
// every key. Times are seconds since 1970; 0 stands for "never".
var schema = []sqldb.Migration{version1, version2, version3, version4}

var version1 = sqldb.Migration{
	// One row an account. modseq is its counter, purged its purge mark,
	// validity the last UIDVALIDITY given out, boxes the last mailbox number,
	// arrivals counts messages. dropped: waits for its purge.
	`CREATE TABLE account (
		id {int} PRIMARY KEY,
		name {text} NOT NULL,
		state {int} NOT NULL,
		created {int} NOT NULL,
		max_bytes {int} NOT NULL, max_messages {int} NOT NULL, max_mailboxes {int} NOT NULL,
		modseq {int} NOT NULL,
		purged {int} NOT NULL,
		validity {int} NOT NULL,
		boxes {int} NOT NULL,
		arrivals {int} NOT NULL,
		dropped {int} NOT NULL)`,
	`CREATE UNIQUE INDEX account_name ON account (name) WHERE dropped = 0`,

	// One row a mailbox. num is its number in the account; gone: a tombstone.
	`CREATE TABLE mailbox (
		account {int} NOT NULL, num {int} NOT NULL,
		id {blob} NOT NULL,
		name {text} NOT NULL,
		validity {int} NOT NULL, uidnext {int} NOT NULL,
		modseq {int} NOT NULL, highest {int} NOT NULL,
		messages {int} NOT NULL, unseen {int} NOT NULL, deleted {int} NOT NULL, bytes {int} NOT NULL,
		recent {int} NOT NULL,
		role {text} NOT NULL,
		subscribed {int} NOT NULL, noselect {int} NOT NULL, gone {int} NOT NULL,
		PRIMARY KEY (account, num)) {clustered}`,

	// State of messages, see block.
	`CREATE TABLE state (
		account {int} NOT NULL, mailbox {int} NOT NULL, first {int} NOT NULL,
		data {blob} NOT NULL,
		PRIMARY KEY (account, mailbox, first)) {clustered}`,

	// Facts of messages: what never changes, but for meta, which is a cache. A row outlives its message until
	// the hold on its blob ends.
	`CREATE TABLE fact (
		account {int} NOT NULL, mailbox {int} NOT NULL, uid {int} NOT NULL,
		email {blob} NOT NULL, thread {blob} NOT NULL,
		received {int} NOT NULL, zone {int} NOT NULL, saved {int} NOT NULL,
		blob {text} NOT NULL, size {int} NOT NULL,
		cipher {blob}, prefix {blob}, meta {blob},
		PRIMARY KEY (account, mailbox, uid))`,
	`CREATE INDEX fact_blob ON fact (blob)`,

	// The change log: what a Change did to a mailbox. kind: see log.go.
	`CREATE TABLE log (
		account {int} NOT NULL, mailbox {int} NOT NULL, kind {int} NOT NULL,
		modseq {int} NOT NULL, seq {int} NOT NULL,
		at {int} NOT NULL,
		uids {blob} NOT NULL,
		PRIMARY KEY (account, mailbox, kind, modseq, seq)) {clustered}`,

	// The threads that have a key and base subject, each with the newest
	// message that had them, as it was delivered.
	`CREATE TABLE thread (
		account {int} NOT NULL, hash {int} NOT NULL, subject {int} NOT NULL,
		thread {blob} NOT NULL,
		arrival {int} NOT NULL, mailbox {int} NOT NULL, uid {int} NOT NULL,
		PRIMARY KEY (account, hash, subject, thread)) {clustered}`,

	`CREATE TABLE entry (
		account {int} NOT NULL, mailbox {int} NOT NULL, name {blob} NOT NULL,
		value {blob}, modseq {int} NOT NULL, expires {int} NOT NULL, gone {int} NOT NULL,
		PRIMARY KEY (account, mailbox, name))`,

	`CREATE TABLE once (
		account {int} NOT NULL, name {blob} NOT NULL,
		at {int} NOT NULL, result {blob} NOT NULL,
		PRIMARY KEY (account, name)) {clustered}`,

	// What the cleaner has to do, see clean.go.
	`CREATE TABLE trash (
		account {int} NOT NULL, mailbox {int} NOT NULL, modseq {int} NOT NULL,
		at {int} NOT NULL, uids {blob} NOT NULL,
		PRIMARY KEY (account, mailbox, modseq)) {clustered}`,
}

var version2 = sqldb.Migration{
	// Holds, see store.Hold. mailbox is its id, zeros for the account. until
	// and nanos are NULL when the hold has no end; keep is nanoseconds.
	`CREATE TABLE hold (
		account {int} NOT NULL, name {blob} NOT NULL,
		reason {blob} NOT NULL,
		mailbox {blob} NOT NULL, uids {blob} NOT NULL,
		until {int}, nanos {int}, keep {int} NOT NULL,
		PRIMARY KEY (account, name))`,
}

var version3 = sqldb.Migration{
	// The account's locked maildrop; until is microseconds since 1970.
	`CREATE TABLE maildrop (
		account {int} PRIMARY KEY,
		holder {blob} NOT NULL, until {int} NOT NULL)`,
}

var version4 = sqldb.Migration{
	// version counts the commits that changed the account's or its mailboxes'
	// rows, also those that take no ModSeq: who has them in memory sees by it
	// that another node changed them.
	`ALTER TABLE account ADD COLUMN version {int} NOT NULL DEFAULT 0`,
	// Accounts that wait for their purge, by name.
	`CREATE INDEX account_dropped ON account (name) WHERE dropped = 1`,
}
