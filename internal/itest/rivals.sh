#!/bin/bash
# Cuts the power of other stores of messages, each in its safe setting and in a
# fast one, and of this library's store, and prints what each lost as a table.
# Usage, as root with FUSE:
#
#	internal/itest/rivals.sh [-cuts N] [RIVAL...]
#
# A safe setting must lose nothing, and a fast one must lose something under the
# strict model, or the script fails: then it is the test that is wrong.
set -euo pipefail
cd "$(dirname "$0")/../.."

cuts=20
if [ "${1:-}" = -cuts ]; then
	cuts=$2
	shift 2
fi
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/powercut" ./internal/powercut
go build -o "$bin/rivals" ./internal/itest/rivals
export RIVALS=$bin/rivals

failed=0 rows=()
while read -r name kind; do
	[ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
	for model in strict random; do
		export RIVALS_TALLY=$bin/tally-$name-$model
		status=0
		"$bin/powercut" -cuts "$cuts" -model $model -ack-file "$bin/acks" \
			-run "exec \"\$RIVALS\" -rival $name run" \
			-verify "exec \"\$RIVALS\" -rival $name verify" >"$bin/out" 2>&1 </dev/null || status=$?
		tail -n 1 "$bin/out"
		if [ $status -gt 1 ] || [ "$kind" = safe ] && [ $status != 0 ] || [ "$kind $model" = "fast strict" ] && [ $status != 1 ]; then
			failed=$((failed + 1))
			echo "FAIL  $name, model $model: exit status $status"
			cat "$bin/out"
		fi
		rows+=("$(awk -v name="$name" -v kind="$kind" -v model=$model '
			function verdict() { if (open) { lost += now; hit += now > 0 } open = 0 }
			$1 == "begin" { verdict(); cuts++; acked += $2; now = $2; open = 1 } # all lost, unless it says how many
			$1 == "end" { now = $2; verdict() }
			END { verdict(); printf "| %s | %s | %s | %d of %d | %d of %d |", name, kind, model, hit, cuts, lost, acked }' "$RIVALS_TALLY")")
	done
done < <("$RIVALS" names)
echo
echo "| store | setting | model | cuts that lost | messages lost of those acknowledged |"
echo "| --- | --- | --- | --- | --- |"
printf '%s\n' "${rows[@]}"
[ $failed = 0 ]
