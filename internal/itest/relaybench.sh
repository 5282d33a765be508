#!/bin/bash
# Measures examples/relay (SQLite and segment files) beside Debian's Postfix (its
# package is unpacked, not installed), one after the other, round by round, on one
# machine, and prints the medians with their spread as a table:
#
#   accept   durable acceptance of 4 KB by 1, 20 and 200 sessions: messages a second,
#            and CPU of all processes of the server for a message. Nothing is sent on
#            meanwhile: Postfix holds its mail (a hold costs it nothing more), the
#            smart host of ours refuses connections.
#   relay    end to end: 20 sessions send, a smart host takes; messages a second
#            from the first MAIL to the arrival of the last, and the CPU for one.
#
# The sink counts and checks each message. Needs root, for a mount namespace and a
# cgroup. The queues lie under -dir, which has to be on the disk to be measured.
#
# Usage: internal/itest/relaybench.sh [-rounds N] [-messages N] [-dir DIR]
set -euo pipefail
cd "$(dirname "$0")/../.."
. .ci/step-lib.sh

rounds=5 messages=5000 base=${TMPDIR:-/var/tmp}
while [ $# -gt 0 ]; do
	case $1 in
	-rounds) rounds=$2 ;;
	-messages) messages=$2 ;;
	-dir) base=$2 ;;
	*) sed -n '2,18s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
	esac
	shift 2
done
[ "$(id -u)" = 0 ] || { echo "not root" >&2; exit 1; }
root=${MAILSTEAD_SMTP_PEERS:-$(unpack_smtp_peers)}/postfix
ulimit -n "$(ulimit -Hn)"

dir=$(mktemp -d "$base/relaybench.XXXXXX")
chmod 755 "$dir"
server= pid= sink= cg=/sys/fs/cgroup/cpuacct/relaybench.$$
trap 'stop; [ -z "$sink" ] || kill "$sink" 2>/dev/null || true; rm -rf "$dir"' EXIT
go build -o "$dir/mailload" ./internal/mailload
(cd examples && go build -o "$dir/relay" ./relay)

addr=127.0.0.1:${PORT:-22587} next=127.0.0.1:${SINK_PORT:-22526} refuses=127.0.0.1:1
readonly postfix=2001 postdrop=2002

# configure [SMART-HOST] makes an empty queue of Postfix; without a smart host it
# holds its mail.
configure() {
	local d=$dir/postfix restrict=permit q
	[ $# -gt 0 ] || restrict="check_client_access static:hold, permit"
	rm -rf "$d"
	mkdir -p "$d"/{etc,data} "$d"/queue/{pid,maildrop,public,active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace}
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\npostfix:x:%s:%s::/nonexistent:/bin/false\n' $postfix $postfix >"$d/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\npostfix:x:%s:\npostdrop:x:%s:\n' $postfix $postdrop >"$d/group"
	for q in data queue/{active,bounce,corrupt,defer,deferred,flush,hold,incoming,private,saved,trace}; do
		chown $postfix:$postfix "$d/$q"
		chmod 700 "$d/$q"
	done
	chown $postfix:$postdrop "$d"/queue/{maildrop,public}
	chmod 730 "$d/queue/maildrop"
	chmod 710 "$d/queue/public"
	cat >"$d/etc/main.cf" <<-CF
		compatibility_level = 3.6
		queue_directory = $d/queue
		data_directory = $d/data
		maillog_file = $d/log
		maillog_file_prefixes = $d
		myhostname = postfix.example
		mydestination =
		inet_interfaces = 127.0.0.1
		inet_protocols = ipv4
		alias_maps =
		mynetworks = 127.0.0.0/8
		smtpd_relay_restrictions = permit_mynetworks, reject
		smtpd_client_restrictions = $restrict
		smtpd_client_connection_count_limit = 0
		relayhost = ${1:+[${1%:*}]:${1#*:}}
		default_process_limit = 300
	CF
	cat >"$d/etc/master.cf" <<-CF
		$addr inet n - n - - smtpd
		postlog unix-dgram n - n - 1 postlogd
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		tlsmgr unix - - n 1000? 1 tlsmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		verify unix - - n - 1 verify
		flush unix n - n 1000? 0 flush
		proxymap unix - - n - - proxymap
		smtp unix - - n - - smtp
		relay unix - - n - - smtp
		error unix - - n - - error
		retry unix - - n - - error
		discard unix - - n - - discard
		anvil unix - - n - 1 anvil
		scache unix - - n - 1 scache
	CF
}

# run NAME... becomes the server, with all its processes in the cgroup.
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

# start SERVER [SMART-HOST] starts it with an empty queue.
start() {
	server=$1
	if [ "$server" = Postfix ]; then
		configure "${@:2}"
		# shellcheck disable=SC2016 # the inner shell expands it
		run unshare -m sh -c 'mount -t overlay overlay -o "lowerdir=$1/usr:/usr" /usr && mount --bind "$2/passwd" /etc/passwd &&
			mount --bind "$2/group" /etc/group && mount -t tmpfs none /var/lib && exec /usr/lib/postfix/sbin/master -c "$2/etc" -d' sh "$root" "$dir/postfix"
	else
		rm -rf "$dir/data"
		run "$dir/relay" -data "$dir/data" -hostname relay.example -submission "$addr" -http off -max-connections 2000 -relay "${2:-$refuses}"
	fi
	for _ in $(seq 200); do
		if (exec 3<>"/dev/tcp/${addr%:*}/${addr#*:}") 2>/dev/null; then return; fi
		sleep 0.05
	done
	cat "$dir/$server.log" >&2
	echo "$server does not listen" >&2
	exit 1
}

stop() {
	[ -n "$pid" ] || return 0
	kill -TERM "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	for _ in $(seq 100); do
		[ -e "$cg/cgroup.procs" ] && [ -n "$(cat "$cg/cgroup.procs")" ] || break
		sleep 0.05
	done
	rmdir "$cg" 2>/dev/null || true
	pid=
}

# field takes one value of mailload's line.
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }

# measure WHAT GOAL VALUE adds a figure. GOAL is the smallest ratio to Postfix after
# ">", or the largest; "-" = none.
measure() { printf '%s\t%s\t%s\t%s\n' "$server" "$1" "$2" "$3" >>"$dir/figures"; }

load() { "$dir/mailload" smtp -addr "$addr" "${meter[@]}" -size 4096 "$@"; }

# accept SESSIONS GOAL
accept() {
	local line n=$messages
	[ "$1" != 1 ] || n=$((messages / 5))
	start "$server"
	load -c "$1" -n $((n / 10 + $1)) >/dev/null # processes and connections are there
	line=$(load -c "$1" -n "$n")
	measure "accept, $1 sessions: messages a second" "$2" "$(field per_s <<<"$line")"
	measure "accept, $1 sessions: us of CPU" - "$(field cpu_us_per_op <<<"$line")"
	stop
}

# usage is the CPU of the server so far, in nanoseconds.
usage() { if [ -e "$cg/cpuacct.usage" ]; then cat "$cg/cpuacct.usage"; else echo 0; fi; }

relay() {
	local began before last
	"$dir/mailload" smtpsink -addr "$next" -expect "$messages" -timeout 120s >"$dir/sink" &
	sink=$!
	start "$server" "$next"
	before=$(usage) began=$(date +%s.%N)
	load -c 20 -n "$messages" >/dev/null
	wait "$sink" || { cat "$dir/sink" >&2; exit 1; }
	sink=
	last=$(field last <"$dir/sink")
	measure "relay, 20 sessions: messages a second" ">5" "$(awk -v a="$began" -v b="$last" -v n="$messages" 'BEGIN { printf "%.1f", n / (b - a) }')"
	sleep 1 # what is cleaned up behind a message belongs to it
	measure "relay, 20 sessions: us of CPU" 0.15 "$(awk -v a="$before" -v b="$(usage)" -v n="$messages" 'BEGIN { printf "%.1f", (b - a) / 1000 / n }')"
	stop
}

for round in $(seq "$rounds"); do
	for server in Postfix Mailstead; do
		accept 1 ">1.5"
		accept 20 ">6"
		accept 200 ">8"
		relay
		echo "round $round: $server done after $SECONDS s" >&2
	done
done

awk -F'\t' -v rounds="$rounds" '
	{ v[$2, $1, ++n[$2, $1]] = $4; goal[$2] = $3; if (!($2 in seen)) { seen[$2] = 1; order[++k] = $2 } }
	function median(what, s,   m, i, j, t) {
		m = n[what, s]; if (!m) return 0
		for (i = 1; i <= m; i++) a[i] = v[what, s, i] + 0
		for (i = 2; i <= m; i++) for (j = i; j > 1 && a[j] < a[j-1]; j--) { t = a[j]; a[j] = a[j-1]; a[j-1] = t }
		low = a[1]; high = a[m]
		return a[int((m + 1) / 2)]
	}
	END {
		print "| median of " rounds " rounds (least to most) | Postfix | Mailstead | ratio | goal |"
		print "| --- | --- | --- | --- | --- |"
		for (i = 1; i <= k; i++) {
			p = median(order[i], "Postfix"); ps = sprintf("%.0f (%.0f to %.0f)", p, low, high)
			m = median(order[i], "Mailstead"); ms = sprintf("%.0f (%.0f to %.0f)", m, low, high)
			ratio = p > 0 ? m / p : 0
			g = goal[order[i]]; sign = "≤ "; met = ratio <= g
			if (sub(/^>/, "", g)) { sign = "≥ "; met = ratio >= g + 0 }
			verdict = ""
			if (g != "-") { verdict = sign g; if (!met) verdict = verdict ", missed" }
			printf "| %s | %s | %s | %.2f | %s |\n", order[i], ps, ms, ratio, verdict
		}
	}' "$dir/figures"
