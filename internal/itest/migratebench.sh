#!/bin/bash
# Pulls one account of Dovecot into Maildirs by turns with package migrate and with
# mbsync. Needs MAILSTEAD_DOVECOT (see .ci/interop) and mbsync.
set -euo pipefail
cd "$(dirname "$0")"
MAILSTEAD_MIGRATEBENCH=1 go test -count=1 -v -run TestMigrateBesideMbsync .
