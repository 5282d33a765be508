# Functions shared by the scripts of this directory. Source it from the root of
# a clone, under "set -euo pipefail".

# Versions of the tools that judge the code, and of the S3 server of the interop
# tests. They come through the Go module proxy and are built once per version
# and toolchain.
GOFUMPT=mvdan.cc/gofumpt@v0.12.0
STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.1
VERSITYGW=github.com/versity/versitygw/cmd/versitygw@v1.8.0

# Debian packages that the interop tests drive.
PEERS_RUN="swaks libnet-ssleay-perl libauthen-sasl-perl isync mutt msmtp mpop fetchmail curl python3 ca-certificates fuse3 postgresql"

export GOTOOLCHAIN=local # the build never fetches another Go

# A clone that another user owns is fine: git and go only read it.
if [ -z "${GIT_CONFIG_COUNT:-}" ]; then
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$PWD
fi
passed=0
failed=0
failures=()

say() { printf '\n== %s\n' "$*"; }

# step NAME MINUTES COMMAND... runs one step for at most MINUTES, says how long
# it took, and counts it. A failing step does not end the script. Where
# total_minutes is set, all steps together get no more than that.
step() {
	local name=$1 limit=$(($2 * 60)) t0=$SECONDS status=0
	shift 2
	if [ -n "${total_minutes:-}" ] && [ $((total_minutes * 60 - SECONDS)) -lt "$limit" ]; then
		limit=$((total_minutes * 60 - SECONDS))
	fi
	say "$name (at most $limit s): $*"
	if [ "$limit" -gt 0 ]; then
		timeout --kill-after=30s "$limit" "$@" </dev/null || status=$?
	else
		status=124
	fi
	if [ "$status" = 0 ]; then
		passed=$((passed + 1))
		echo "-- ok    $name ($((SECONDS - t0)) s)"
	else
		failed=$((failed + 1))
		failures+=("$name")
		[ "$status" != 124 ] || echo "-- $name ran out of time"
		echo "-- FAIL  $name ($((SECONDS - t0)) s, status $status)"
	fi
}

# finish prints the total and ends the script.
finish() {
	say "total: $SECONDS s"
	for f in "${failures[@]+"${failures[@]}"}"; do
		echo "FAIL $f"
	done
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ]
}

# modules prints the directory of each module of the workspace.
modules() { go list -m -f '{{.Dir}}'; }

# tool MODULE@VERSION prints the path of the built tool.
tool() {
	local dir
	dir=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mailstead-tools/$(go env GOVERSION)/$(echo "$1" | tr '/@' '__')
	if [ ! -x "$dir/$(basename "${1%@*}")" ]; then
		echo "building $1" >&2
		GOBIN=$dir GOFLAGS= go install "$1" >&2
	fi
	echo "$dir/$(basename "${1%@*}")"
}

# install_peers PACKAGE... installs the Debian packages that are missing.
# Nothing that they bring is started.
install_peers() {
	local missing=() p
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
	if [ ${#missing[@]} = 0 ]; then
		echo "all installed: $*"
		return
	fi
	if [ "$(id -u)" != 0 ]; then
		echo "not root; please install: ${missing[*]}" >&2
		return 1
	fi
	local made=
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
		chmod 755 /usr/sbin/policy-rc.d
		made=1
	fi
	local status=0
	apt-get update -q && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
		apt-get install -qy --no-install-recommends "${missing[@]}" || status=$?
	[ -z "$made" ] || rm -f /usr/sbin/policy-rc.d
	return $status
}

# unpack NAME PROBE PACKAGE... prints a directory with Debian packages and the
# libraries they name, unpacked once (PROBE is a file in them). Nothing is
# installed, so that no service of that name and no package that excludes it is in
# the way.
unpack() {
	local dir=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mailstead-tools/$1 probe=$2 p libs=()
	shift 2
	if [ ! -e "$dir/root/$probe" ]; then
		mapfile -t libs < <(apt-cache depends "$@" | sed -n 's/^  Depends: \(lib[^<>]*\)$/\1/p' | grep -vx libc6 | sort -u)
		rm -rf "$dir"
		mkdir -p "$dir"
		(cd "$dir" && apt-get download -q "$@" "${libs[@]}" >&2) || return
		for p in "$dir"/*.deb; do
			dpkg -x "$p" "$dir/root"
		done
	fi
	echo "$dir/root"
}

unpack_dovecot() { unpack dovecot usr/lib/dovecot/imap dovecot-core dovecot-imapd; }
unpack_postfix() { unpack postfix usr/lib/postfix/sbin/master postfix; }
