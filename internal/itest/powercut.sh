#!/bin/bash
# Cuts the power of the file-backed engines and looks for what they
# acknowledged. Usage, as root with FUSE:
#
#	internal/itest/powercut.sh [-cuts N] [-keep DIR] [-seed S] [-quick] [ENGINE[:MODEL]...]
#
# The work is done by the program storeworker, in this directory:
#
#	storeworker engines                        prints the names of the engines, one per line
#	storeworker -engine NAME run               works in $POWERCUT_DIR without end, appends a line to $POWERCUT_ACKS for each acknowledgement
#	storeworker -engine NAME verify            opens $POWERCUT_DIR and looks for the ids on standard input
#	storeworker -engine NAME -control run      the same work with a sync left out, so that it must lose
#
# Each engine runs under both models of internal/powercut (strict, random), or
# under the one that is named, and must lose nothing. Its control runs under the
# strict model: a check that does not see that loss proves nothing, so the control
# must lose. The three run at once.
#
# With -quick the cuts come early, two programs run at once under a model, and
# there is no control: for thousands of cuts.
set -euo pipefail
cd "$(dirname "$0")/../.."

cuts=20 quick= extra=()
while [ $# -gt 0 ]; do
	case $1 in
	-cuts) cuts=$2 && shift 2 ;;
	-quick) quick=1 && extra+=(-min 50ms -max 500ms) && shift ;;
	-keep | -seed) extra+=("$1" "$2") && shift 2 ;;
	-*) echo "usage: $0 [-cuts N] [-keep DIR] [-seed S] [-quick] [ENGINE[:MODEL]...]" >&2 && exit 2 ;;
	*) break ;;
	esac
done
if [ ! -d internal/itest/storeworker ]; then
	echo "internal/itest/storeworker is missing: nothing to cut the power of" >&2
	exit 1
fi

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/powercut" ./internal/powercut
go build -o "$bin/storeworker" ./internal/itest/storeworker
export STOREWORKER=$bin/storeworker

# examples/lmtpsink is cut as a whole program; its control is the same program
# with one sync taken out: that of the directory with the links.
sed 's/^\treturn syncDirs(into)$/\treturn nil/; s/^\t\treturn syncDirs(dir)$/\t\treturn nil/' examples/lmtpsink/sink.go >"$bin/sink.go"
if [ "$(diff examples/lmtpsink/sink.go "$bin/sink.go" | grep -c '^>')" != 2 ]; then
	echo "examples/lmtpsink/sink.go has changed: its control leaves out no sync" >&2
	exit 1
fi
echo "{\"Replace\": {\"$PWD/examples/lmtpsink/sink.go\": \"$bin/sink.go\"}}" >"$bin/overlay.json"
go build -o "$bin/lmtpsink" ./examples/lmtpsink
go build -overlay "$bin/overlay.json" -o "$bin/lmtpsink-control" ./examples/lmtpsink
export LMTPSINK=$bin/lmtpsink LMTPSINK_CONTROL=$bin/lmtpsink-control

engines=("$@")
[ ${#engines[@]} -gt 0 ] || mapfile -t engines < <("$STOREWORKER" engines)
if [ ${#engines[@]} = 0 ]; then
	echo "storeworker names no engines" >&2
	exit 1
fi

passed=0 failed=0
# result WANT GOT WHAT counts one run by its exit status.
result() {
	if [ "$1" = "$2" ]; then
		passed=$((passed + 1)) && echo "ok    $3"
	else
		failed=$((failed + 1)) && echo "FAIL  $3: exit status $2, want $1"
	fi
}

# cut ENGINE FLAGS MODEL CUTS [RUN] prints what powercut says and returns its
# status. RUN tells programs apart that run at once.
cut() {
	local status=0
	"$bin/powercut" -cuts "$4" -model "$3" -ack-file "$bin/acks${5:-}" "${extra[@]+"${extra[@]}"}" \
		-run "exec \"\$STOREWORKER\" -engine $1 $2 run" \
		-verify "exec \"\$STOREWORKER\" -engine $1 verify" || status=$?
	return $status
}

# two runs half of the cuts each, at once.
two() {
	local status=0 first
	cut "$1" "" "$2" $(((cuts + 1) / 2)) 1 &
	first=$!
	cut "$1" "" "$2" $((cuts / 2)) 2 || status=$?
	wait $first || status=$?
	return $status
}

# model ENGINE MODEL cuts one engine under one model, and says how it went in its
# exit status and in two files.
model() {
	local status=0 t0=$SECONDS
	if [ -n "$quick" ]; then
		two "$1" "$2" || status=$?
	else
		cut "$1" "" "$2" "$cuts" "$2" || status=$?
	fi
	echo "$((SECONDS - t0)) s" >"$bin/took.$2"
	return $status
}

for name in "${engines[@]}"; do
	engine=${name%%:*} models=${name#"$engine"}
	models=${models#:}
	# All runs of an engine at once: much of the time of a cut is waiting.
	running=()
	for model in ${models:-strict random}; do
		model "$engine" "$model" >"$bin/out.$model" 2>&1 &
		running+=("$model:$!")
	done
	if [ -z "$quick" ]; then
		cut "$engine" -control strict 8 control >"$bin/out.control" 2>&1 &
		control=$!
	fi
	for run in "${running[@]}"; do
		status=0 model=${run%:*}
		wait "${run#*:}" || status=$?
		cat "$bin/out.$model"
		result 0 $status "$engine, model $model, $cuts cuts, $(cat "$bin/took.$model")"
	done
	[ -z "$quick" ] || continue
	status=0
	wait $control || status=$?
	cat "$bin/out.control"
	result 1 $status "$engine, control (must lose)"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
