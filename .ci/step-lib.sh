# Functions shared by the scripts of this directory. Source it from the root of
# a clone, under "set -euo pipefail".

# Versions of the tools that judge the code, and of the S3 server of the interop
# tests. They come through the Go module proxy and are built once per version
# and toolchain.
GOFUMPT=mvdan.cc/gofumpt@v0.12.0
STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.1
VERSITYGW=github.com/versity/versitygw/cmd/versitygw@v1.8.0

# The OpenID provider of the interop tests, from npm.
OIDC_PROVIDER=oidc-provider@9.13.3

# Debian packages that the interop tests drive.
PEERS_RUN="swaks libnet-ssleay-perl libauthen-sasl-perl isync offlineimap3 mutt neomutt alpine msmtp mpop fetchmail getmail6 curl gsasl python3 ca-certificates fuse3 postgresql slapd python3-dkim python3-authres libmail-dkim-perl opendkim"
command -v node >/dev/null && command -v npm >/dev/null || PEERS_RUN="$PEERS_RUN nodejs npm"

export GOTOOLCHAIN=local # the build never fetches another Go

# A clone that another user owns is fine: git and go only read it.
if [ -z "${GIT_CONFIG_COUNT:-}" ]; then
	export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=$PWD
fi
passed=0
failed=0
failures=()
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

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
		timeout --kill-after=30s "$limit" "$@" </dev/null > >(exec tee "$logs/step") 2>&1 || status=$?
	else
		status=124
	fi
	if [ "$status" = 0 ]; then
		passed=$((passed + 1))
		echo "-- ok    $name ($((SECONDS - t0)) s)"
	else
		failed=$((failed + 1))
		failures+=("$name")
		mv "$logs/step" "$logs/$failed" 2>/dev/null || true
		[ "$status" != 124 ] || echo "-- $name ran out of time"
		echo "-- FAIL  $name ($((SECONDS - t0)) s, status $status)"
	fi
}

# findings FILE prints what a failed step says of its failures, in few lines.
findings() {
	[ -e "$1" ] || return 0
	grep -E -A3 '^ *--- FAIL|^FAIL|^panic:|^fatal error:|DATA RACE|LOST|^FAIL ' "$1" | cut -c1-300 | head -n 30 || true
}

# finish prints what failed once more, since it may be far above, then the total,
# and ends the script.
finish() {
	local n
	for ((n = 1; n <= failed; n++)); do
		findings "$logs/$n"
	done
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
		merge_lib "$dir/root"
	fi
	echo "$dir/root"
}

# merge_lib DIR moves what packages have under /lib to /usr/lib, where a merged
# /usr has it: tests lay DIR/usr over theirs.
merge_lib() {
	[ -d "$1/lib" ] || return 0
	mkdir -p "$1/usr/lib"
	cp -a "$1/lib/." "$1/usr/lib/"
	rm -r "$1/lib"
}

unpack_dovecot() { unpack dovecot usr/lib/dovecot/pop3 dovecot-core dovecot-imapd dovecot-pop3d; }

unpack_cyrus() {
	unpack cyrus usr/lib/cyrus/bin/pop3d cyrus-common cyrus-imapd cyrus-pop3d cyrus-clients sasl2-bin libsasl2-modules libsasl2-modules-db
}

# unpack_pyspf prints a directory with the SPF suite of python3-spf.
unpack_pyspf() { unpack pyspf usr/share/doc/python3-spf/rfc7208-tests.yml.gz python3-spf; }

# unpack_maildmarc prints a directory with Mail::DMARC and the Perl modules that
# it needs and that are not installed.
unpack_maildmarc() {
	local dir=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mailstead-tools/maildmarc
	if [ ! -e "$dir/complete" ]; then
		rm -rf "$dir"
		unpack_package "$dir" libmail-dmarc-perl || return
		touch "$dir/complete"
	fi
	echo "$dir"
}

# unpack_publicsuffix prints a directory with the list of public suffixes and
# its test.
unpack_publicsuffix() { unpack publicsuffix usr/share/doc/publicsuffix/examples/test_psl.txt publicsuffix; }

# unpack_unbound prints a directory with unbound and its libraries.
unpack_unbound() { unpack unbound usr/sbin/unbound unbound; }

# unpack_oidc prints a directory in which npm has installed oidc-provider, once.
unpack_oidc() {
	local dir=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mailstead-tools/$OIDC_PROVIDER
	if [ ! -d "$dir/node_modules/oidc-provider" ]; then
		command -v node >/dev/null && command -v npm >/dev/null || { echo "node and npm are not installed" >&2; return 1; }
		mkdir -p "$dir"
		npm install --prefix "$dir" --ignore-scripts --no-audit --no-fund --silent "$OIDC_PROVIDER" >&2 || return
	fi
	echo "$dir"
}

# Mail servers and client libraries that the SMTP and login interop tests drive.
SMTP_SERVERS="postfix libsasl2-modules exim4-daemon-light opensmtpd dovecot-lmtpd"
SMTP_NODE="nodemailer@10.6.1 smtp-server@3.21.6 imapflow@2.10.2"

# unpack_smtp_peers prints a directory with one directory for each package of
# SMTP_SERVERS, each with the packages and libraries that it needs and that are
# not installed, and with node_modules. Nothing is installed: the servers
# exclude each other, and none of them shall run as a service.
unpack_smtp_peers() {
	local base dir p f
	base=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/mailstead-tools
	dir=$base/smtp-peers-$(echo "$SMTP_SERVERS $SMTP_NODE" | cksum | cut -d' ' -f1)
	if [ ! -e "$dir/complete" ]; then
		rm -rf "$dir"
		mkdir -p "$dir"
		for p in $SMTP_SERVERS; do
			unpack_package "$dir/$p" "$p" || return
		done
		if command -v npm >/dev/null; then
			# shellcheck disable=SC2086 # a list of packages
			npm install --silent --no-audit --no-fund --prefix "$dir" $SMTP_NODE >&2 || return
		fi
		touch "$dir/complete"
	fi
	echo "$dir"
}

# unpack_package DIR PACKAGE unpacks a package and those that it depends on, as
# far as they are not installed. No file keeps a set-user-id bit.
unpack_package() {
	local wanted f
	mapfile -t wanted < <(apt-get install --simulate --no-install-recommends "$2" | sed -n 's/^Inst \([^ ]*\) .*/\1/p')
	mkdir -p "$1/debs"
	(cd "$1/debs" && { apt-get download -qq "${wanted[@]:-$2}" >&2 ||
		{ apt-get update -qq && apt-get download -qq "${wanted[@]:-$2}" >&2; }; }) || return
	for f in "$1"/debs/*.deb; do
		dpkg -x "$f" "$1" || return
	done
	rm -r "$1/debs"
	merge_lib "$1"
	find "$1" -type f -perm /6000 -exec chmod a-s {} +
}

# fuse_device makes /dev/fuse where the kernel has FUSE and the node is missing.
fuse_device() {
	[ -e /dev/fuse ] && return
	[ "$(id -u)" = 0 ] || return 0
	modprobe fuse 2>/dev/null || true
	mknod -m 600 /dev/fuse c 10 229 || true
}

# fuzz_targets prints "DIRECTORY TARGET" for every fuzz target of all modules.
fuzz_targets() {
	git ls-files -co --exclude-standard '*_test.go' | while read -r file; do
		[ -e "$file" ] || continue
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file" | while read -r target; do
			echo "./$(dirname "$file") $target"
		done
	done | sort -u
}

# fuzz DIRECTORY TARGET TIME runs one fuzz target; a finding is kept by the go
# command under testdata/fuzz of the package. A run that fails with nothing but
# "context deadline exceeded" has found nothing: the go command says so at times
# when the last input was cut off by the end of TIME.
fuzz() {
	local log status=0
	log=$(mktemp)
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -parallel "${FUZZ_PARALLEL:-2}" "$1" 2>&1 | tee "$log" || status=$?
	if [ "$status" != 0 ] && grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log"; then
		status=0
	fi
	rm -f "$log"
	return "$status"
}
