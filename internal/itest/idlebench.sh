#!/bin/bash
# Measures the memory of idle IMAP connections of examples/mailserver (SQLite and
# segment files): each has selected INBOX and waits in IDLE. For each size of the
# mailbox, plain and with TLS, a server is started anew; the mailbox is filled
# directly. Prints a table: resident memory (PSS) and the heap and stacks of Go after
# a collection, for a connection.
#
# Usage: internal/itest/idlebench.sh [-idle N] [-heap DIR] MESSAGES...
#
# -heap keeps a profile of each server's heap, and of its goroutines, there.
set -euo pipefail
cd "$(dirname "$0")/../.."

idle=2000 heap=
while [ $# -gt 0 ]; do
	case $1 in
	-idle) idle=$2 ;;
	-heap) heap=$2 ;;
	-*) sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	*) break ;;
	esac
	shift 2
done
sizes=("$@")
[ $# -gt 0 ] || sizes=(100 100000)
[ -z "$heap" ] || mkdir -p "$heap"
ulimit -n "$(ulimit -Hn)"

dir=$(mktemp -d)
pid=
trap 'stop; rm -rf "$dir"' EXIT
go build -o "$dir/mailload" ./internal/mailload
(cd internal/itest && go build -o "$dir/mailfill" ./mailfill)
(cd examples && go build -o "$dir/mailserver" ./mailserver)
user=idle@example.org password=secret
imap=127.0.0.1:${IMAP_PORT:-21443} imaps=127.0.0.1:${IMAPS_PORT:-21993} http=127.0.0.1:${HTTP_PORT:-21825}

start() {
	local flags=()
	for l in smtp submission submissions lmtp pop3 pop3s; do
		flags+=("-$l" off)
	done
	"$dir/mailserver" -data "$1" -domain example.org -user "$user:$password" -imap "$imap" -imaps "$imaps" -http "$http" \
		-plaintext-auth -max-connections 20000 "${flags[@]}" >>"$dir/log" 2>&1 &
	pid=$!
	for _ in $(seq 200); do
		if curl -fs "http://$http/healthz" >/dev/null; then return; fi
		sleep 0.05
	done
	cat "$dir/log" >&2
	exit 1
}

stop() {
	[ -n "$pid" ] || return 0
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	pid=
}

field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }

echo "| messages in INBOX | | resident, KiB a connection | Go heap and stacks, KiB a connection |"
echo "| --- | --- | --- | --- |"
for n in "${sizes[@]}"; do
	start "$dir/$n"
	stop
	"$dir/mailfill" -data "$dir/$n" -account "$user" -n "$n"
	for kind in plain TLS; do
		addr=("$imap")
		[ $kind = plain ] || addr=("$imaps" -tls)
		start "$dir/$n"
		idle() { "$dir/mailload" idle -addr "${addr[@]}" -user "$user" -pass $password -pid "$pid" -debug "$http" "$@"; }
		idle -c 20 >/dev/null # the view is warm, and what logins need is there
		if [ -n "$heap" ]; then
			(sleep "${HEAP_AFTER:-8}"; curl -fs "http://$http/debug/pprof/heap?gc=1" >"$heap/$n-$kind.heap"; curl -fs "http://$http/debug/pprof/goroutine?debug=1" >"$heap/$n-$kind.goroutines") &
			out=$(idle -c "$idle" -settle 15s)
		else
			out=$(idle -c "$idle")
		fi
		echo "| $n | $kind | $(field KiB_per_conn <<<"$out") | $(field go_KiB_per_conn <<<"$out") |"
		stop
	done
	rm -rf "${dir:?}/$n"
done
