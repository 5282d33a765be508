#!/bin/bash
# Measures SMTP servers that throw mail away, one after the other, round by
# round, on one machine: this library's, go-smtp's, and Postfix's smtp-sink where
# it is found (PATH, or POSTFIX_BIN). Prints the medians as a table: server CPU for
# a message in microseconds, CPU for a GB of body in seconds, and memory of an idle
# connection. smtp-source drives the first column too where it is found.
# Usage: internal/itest/smtpbench.sh [-rounds N] [-messages N] [-idle N]
set -euo pipefail
cd "$(dirname "$0")/../.."

rounds=5 messages=20000 idle=10000 port=${PORT:-22525}
while [ $# -gt 0 ]; do
	case $1 in
	-rounds) rounds=$2 ;;
	-messages) messages=$2 ;;
	-idle) idle=$2 ;;
	*) sed -n '2,8s/^# //p' "$0" >&2; exit 2 ;;
	esac
	shift 2
done
bin=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null || true; rm -rf "$bin"' EXIT
go build -o "$bin/mailload" ./internal/mailload
(cd internal/itest && go build -o "$bin/smtpbench" ./smtpbench)
find_tool() { PATH="${POSTFIX_BIN:-}:$PATH:/usr/sbin:/usr/lib/postfix/sbin" command -v "$1" || true; }
sink=$(find_tool smtp-sink) source=$(find_tool smtp-source)
servers=(mailstead go-smtp)
[ -z "$sink" ] || servers+=(smtp-sink)
ulimit -n "$(ulimit -Hn)"

as=() # smtp-sink does not run as root
[ "$(id -u)" != 0 ] || as=(-u nobody)
addr=127.0.0.1:$port
start() {
	case $1 in
	smtp-sink) "$sink" "${as[@]}" -c "$addr" 20000 >/dev/null 2>&1 & ;;
	*) "$bin/smtpbench" -server "$1" -addr "$addr" & ;;
	esac
	pid=$!
	for _ in $(seq 100); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
		sleep 0.05
	done
	echo "$1 does not listen" >&2
	exit 1
}
stop() {
	kill "$pid"
	wait "$pid" 2>/dev/null || true
	pid=
}

# cpu prints the CPU time of the server so far, in microseconds.
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/^.*\) /, ""); print ($12 + $13) * 1000000 / hz }' "/proc/$pid/stat"; }

# field takes one value of mailload's line.
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }

# measure WHAT VALUE adds a figure of the server at hand.
measure() { echo "$server $1 $2" >>"$bin/figures"; }

load() { "$bin/mailload" smtp -addr "$addr" -pid "$pid" "$@" | field cpu_us_per_op; }

for round in $(seq "$rounds"); do
	for server in "${servers[@]}"; do
		start "$server"
		measure "DATA 4 KB, 20 sessions (us)" "$(load -c 20 -n "$messages" -size 4096)"
		measure "DATA 4 KB, pipelined, 1 session (us)" "$(load -c 1 -n "$messages" -size 4096 -pipelining)"
		measure "DATA 10 MB, 1 session (us)" "$(load -c 1 -n 50 -size 10000000 -pipelining)"
		if [ -n "$source" ]; then
			before=$(cpu)
			"$source" -s 20 -m "$messages" -l 4096 -d -f a@example.org -t b@example.com "$addr"
			measure "smtp-source 4 KB, 20 sessions (us)" "$(awk -v a="$before" -v b="$(cpu)" -v n="$messages" 'BEGIN { printf "%.2f", (b - a) / n }')"
		fi
		if [ "$server" != smtp-sink ]; then # it knows no BDAT
			measure "BDAT 4 KB, 1 session (us)" "$(load -c 1 -n "$messages" -size 4096 -pipelining -bdat)"
			measure "BDAT 10 MB, 1 session (us)" "$(load -c 1 -n 50 -size 10000000 -pipelining -bdat)"
		fi
		stop
		start "$server"
		if [ "$server" != smtp-sink ]; then # it takes 256 connections
			measure "idle connection (KiB)" "$("$bin/mailload" smtpidle -addr "$addr" -pid "$pid" -c "$idle" -size 4096 | field KiB_per_conn)"
		fi
		stop
		echo "round $round: $server done" >&2
	done
done

# A body of 10 MB tells the CPU seconds for a GB: microseconds / 10 000.
sort "$bin/figures" | awk -v rounds="$rounds" '
	{ server = $1; value = $NF; $1 = $NF = ""; what = substr($0, 2, length($0) - 2); v[what, server, ++n[what, server]] = value
	  if (!(what in seen)) { seen[what] = 1; order[++k] = what }
	  if (!(server in known)) { known[server] = 1; column[++c] = server } }
	function median(what, s,   m, i, j, t, a) {
		m = n[what, s]; if (!m) return "-"
		for (i = 1; i <= m; i++) a[i] = v[what, s, i] + 0
		for (i = 2; i <= m; i++) for (j = i; j > 1 && a[j] < a[j-1]; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
		return sprintf("%.2f (%.2f to %.2f)", a[int((m + 1) / 2)], a[1], a[m])
	}
	END {
		line = "| median of " rounds " rounds |"; rule = "| --- |"
		for (j = 1; j <= c; j++) { line = line " " column[j] " |"; rule = rule " --- |" }
		print line; print rule
		for (i = 1; i <= k; i++) { line = "| " order[i] " |"; for (j = 1; j <= c; j++) line = line " " median(order[i], column[j]) " |"; print line }
	}'
