#!/bin/bash
# Measures IMAP and POP3 of examples/mailserver (SQLite and segment files) beside
# Debian's Dovecot (mdbox; its packages are unpacked, not installed), one after the
# other, round by round, on one machine, and prints the medians with their spread as
# a table: server CPU for an operation in microseconds where nothing else is said.
# Every answer is checked. Needs root, for a mount namespace and a cgroup.
#
# Usage: internal/itest/imapbench.sh [-rounds N] [-messages N] [-idle N] [-large N]
#
# -messages is the size of the mailbox, -idle the number of idle connections, and
# -large the size of another mailbox for idle connections (default: none).
# Three rounds with 100,000 messages take about ten minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
. .ci/step-lib.sh

rounds=3 messages=100000 idle=2000 large=0
while [ $# -gt 0 ]; do
	case $1 in
	-rounds) rounds=$2 ;;
	-messages) messages=$2 ;;
	-idle) idle=$2 ;;
	-large) large=$2 ;;
	*) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
	shift 2
done
[ "$(id -u)" = 0 ] || { echo "not root" >&2; exit 1; }
root=${MAILSTEAD_DOVECOT:-$(unpack_dovecot)}
ulimit -n "$(ulimit -Hn)"

dir=$(mktemp -d)
chmod 755 "$dir"
server= pid= cg=/sys/fs/cgroup/cpuacct/imapbench.$$
trap 'stop; rm -rf "$dir"' EXIT
go build -o "$dir/mailload" ./internal/mailload
(cd examples && go build -o "$dir/mailserver" ./mailserver)

users=(main octets writer neighbour small large) password=secret
imap=127.0.0.1:${IMAP_PORT:-21143} pop3=127.0.0.1:${POP3_PORT:-21110}

mkdir -p "$dir/dovecot/mail" "$dir/mailstead"
chmod 777 "$dir/dovecot/mail"
for u in "${users[@]}"; do
	echo "$u@example.org:{PLAIN}$password"
done >"$dir/dovecot/users"
cat >"$dir/dovecot/dovecot.conf" <<EOF
base_dir = $dir/dovecot/run
state_dir = $dir/dovecot/run
log_path = $dir/dovecot/log
protocols = imap pop3
listen = ${imap%:*}
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
mail_location = mdbox:$dir/dovecot/mail/%u
mail_max_userip_connections = 100000
default_client_limit = 20000
passdb {
  driver = passwd-file
  args = $dir/dovecot/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=$dir/dovecot/mail/%u
}
service imap {
  process_limit = 20000
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${imap#*:}
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  chroot =
  inet_listener pop3 {
    port = ${pop3#*:}
  }
  inet_listener pop3s {
    port = 0
  }
}
service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  chroot =
}
EOF

# run NAME... becomes the server, with all its processes in the cgroup if there is one.
meter=()
run() {
	meter=()
	if mkdir -p "$cg" 2>/dev/null && [ -e "$cg/cpuacct.usage" ]; then
		meter=(-cg "$cg")
	fi
	# shellcheck disable=SC2016 # the inner shell expands it
	setsid sh -c '[ ! -e "$1/cgroup.procs" ] || echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$cg" "$@" >>"$dir/$server.log" 2>&1 &
	pid=$!
	[ ${#meter[@]} != 0 ] || meter=(-pid "$pid")
}

start() {
	server=$1
	if [ "$server" = Dovecot ]; then
		run unshare -m sh -c "mount -t overlay overlay -o lowerdir=$root/usr:/usr /usr && exec /usr/sbin/dovecot -F -c $dir/dovecot/dovecot.conf"
	else
		local flags=()
		for u in "${users[@]}"; do
			flags+=(-user "$u@example.org:$password")
		done
		for l in smtp submission submissions lmtp imaps pop3s; do
			flags+=("-$l" off)
		done
		run "$dir/mailserver" -data "$dir/mailstead/data" -domain example.org -imap "$imap" -pop3 "$pop3" -http "${BENCH_HTTP:-off}" \
			-plaintext-auth -max-connections 20000 "${flags[@]}"
	fi
	for _ in $(seq 200); do
		if listens "$imap" && listens "$pop3"; then return; fi
		sleep 0.05
	done
	cat "$dir/$server.log" >&2
	echo "$server does not listen" >&2
	exit 1
}

listens() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}") 2>/dev/null; }

stop() {
	[ -n "$pid" ] || return 0
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	for _ in $(seq 100); do
		[ -s "$cg/cgroup.procs" ] && [ -n "$(cat "$cg/cgroup.procs")" ] || break
		sleep 0.05
	done
	rmdir "$cg" 2>/dev/null || true
	pid=
}

# settle waits until the server does nothing any more.
settle() {
	local before now
	sync
	for _ in $(seq 60); do
		[ -e "$cg/cpuacct.usage" ] || { sleep 2; return; }
		before=$(cat "$cg/cpuacct.usage")
		sleep 0.3
		now=$(cat "$cg/cpuacct.usage")
		[ $((now - before)) -gt 6000000 ] || return 0
	done
}

imap() { "$dir/mailload" imap -addr "$imap" -user "$1@example.org" -pass $password "${meter[@]}" "${@:2}"; }
pop3() { "$dir/mailload" pop3 -addr "$pop3" -user "$1@example.org" -pass $password "${meter[@]}" "${@:2}"; }

# field takes one value of mailload's line.
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }

# measure WHAT GOAL VALUE adds a figure of the server at hand. GOAL is the largest
# ratio to Dovecot, or the smallest after ">", or after "=" the largest value of
# ours; "-" = none.
measure() { printf '%s\t%s\t%s\t%s\n' "$server" "$1" "$2" "$3" >>"$dir/figures"; }

us() { field cpu_us_per_op; }

# hits K I is how many of the messages from 0 on have the number i%K == I.
hits() { echo $((messages / $1 + (messages % $1 > $2 ? 1 : 0))); }

fill() {
	start "$1"
	imap main -n "$messages" -multi 500 append >/dev/null
	imap octets -n $((messages / 10 + 1)) -multi 500 -size 8192 append >/dev/null
	imap small -n 100 -multi 100 append >/dev/null
	stop
}

reading() {
	local all=(-expect "$messages")
	measure "ENVELOPE, first time after a start" 0.35 "$(imap main "${all[@]}" -items '(ENVELOPE)' fetch | us)"
	measure "ENVELOPE, warm" 0.5 "$(imap main "${all[@]}" -items '(ENVELOPE)' -repeat 3 fetch | us)"
	measure "SELECT and CLOSE" 1.0 "$(imap main "${all[@]}" -repeat 1000 select | us)"
	measure "FETCH FLAGS" 1.0 "$(imap main "${all[@]}" -items '(FLAGS)' -repeat 10 fetch | us)"
	measure "FETCH BODY.PEEK[] of 4 KB" 1.0 "$(imap main "${all[@]}" -repeat 2 body | us)"
	measure "SEARCH SUBJECT" 0.6 "$(imap main -expect "$(hits 500 3)" -query 'SUBJECT quarterly' -repeat 5 search | us)"
	measure "SEARCH BODY" 0.4 "$(imap main -expect "$(hits 1000 7)" -query 'BODY zebrafish' search | us)"
}

writing() {
	measure "STORE 1:* FLAGS" 3.0 "$(imap main -expect "$messages" -query '+FLAGS (\Flagged)' -toggle -repeat 6 store | us)"
	settle
	measure "APPEND 4 KB, 1 client: per second" ">1" "$(imap writer -n 1500 append | field per_s)"
	measure "APPEND 4 KB, 20 clients: per second" ">4" "$(imap writer -c 20 -n 4000 append | field per_s)"
	settle
	measure "APPEND by a neighbour, p99: ms" - "$(imap neighbour -n 500 append | field p99_ms)"
	imap main -query '+FLAGS (\Flagged)' -toggle -repeat $((6000000 / messages)) store >/dev/null &
	local storing=$!
	sleep 0.3
	measure "the same while another stores 1:*: ms" - "$(imap neighbour -n 500 append | field p99_ms)"
	kill $storing 2>/dev/null || true
	wait $storing 2>/dev/null || true
	settle
}

idling() {
	measure "IDLE, 100 connections told of a message, p99: ms" =5 "$(imap writer -c 100 -n 20 idlefan | field p99_ms)"
	# The first login of a user costs the hash of the password.
	pop3 octets stat >/dev/null
	measure "POP3 RETR 8 KB, 16 in flight" 0.5 "$(pop3 octets -pipelining 16 retr | us)"
	pop3 main stat >/dev/null
	measure "POP3 STAT, a whole session: us" 0.05 "$(pop3 main -expect "$messages" -repeat 10 stat | us)"
	measure "POP3 UIDL, a whole session, for a message" 0.3 "$(pop3 main -expect "$messages" -repeat 5 uidl | us)"
}

# memory WHAT USER restarts the server and measures idle connections.
memory() {
	stop
	start "$server"
	imap "$2" select >/dev/null
	measure "idle connection, $1: KiB" =16 "$("$dir/mailload" idle -addr "$imap" -user "$2@example.org" -pass $password "${meter[@]}" -c "$idle" | field KiB_per_conn)"
}

for server in Dovecot Mailstead; do
	fill $server
	echo "$server is filled after $SECONDS s" >&2
done
for round in $(seq "$rounds"); do
	for server in Dovecot Mailstead; do
		# Dovecot forgets what it has parsed, so that the first time is one.
		find "$dir/dovecot/mail" -name 'dovecot.index.cache' -delete
		start "$server"
		settle
		reading
		writing
		idling
		memory "mailbox of 100" small
		memory "mailbox of $messages" main
		stop
		echo "round $round: $server done after $SECONDS s" >&2
	done
done
if [ "$large" -gt 0 ]; then
	server=Mailstead
	start $server
	imap large -n $((large < 1000 ? large : 1000)) -multi 500 -size 300 append >/dev/null
	imap large -n "$large" grow >/dev/null
	memory "mailbox of $large" large
fi

awk -F '\t' -v rounds="$rounds" '
	{ if (!($2 in goal)) { goal[$2] = $3; order[++k] = $2 } v[$2, $1, ++n[$2, $1]] = $4 }
	function sorted(what, s,   m, i, j, t) {
		m = n[what, s]
		for (i = 1; i <= m; i++) a[i] = v[what, s, i] + 0
		for (i = 2; i <= m; i++) for (j = i; j > 1 && a[j] < a[j-1]; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
		return m
	}
	function number(x) { return sprintf(x >= 100 ? "%.0f" : x >= 1 ? "%.1f" : "%.3f", x) }
	function cell(what, s,   m) {
		m = sorted(what, s)
		if (!m) { median = ""; return "–" }
		median = a[int((m + 1) / 2)]
		return number(median) " (" number(a[1]) " to " number(a[m]) ")"
	}
	END {
		print "| median of " rounds " rounds | Dovecot | Mailstead | ratio | goal | |"
		print "| --- | --- | --- | --- | --- | --- |"
		for (i = 1; i <= k; i++) {
			w = order[i]; g = goal[w]
			d = cell(w, "Dovecot"); dm = median
			o = cell(w, "Mailstead"); om = median
			ratio = dm > 0 ? om / dm : ""
			kind = substr(g, 1, 1); limit = substr(g, 2)
			if (g == "-") { goals = ""; met = "" }
			else if (kind == ">") { goals = "≥ " limit; met = ratio >= limit + 0 }
			else if (kind == "=") { goals = limit " itself"; met = om <= limit + 0 }
			else { goals = "≤ " g; met = ratio <= g + 0 }
			printf "| %s | %s | %s | %s | %s | %s |\n", w, d, o, ratio == "" ? "" : sprintf("%.2f", ratio), goals, g == "-" ? "" : met ? "met" : "missed"
		}
	}' "$dir/figures"
