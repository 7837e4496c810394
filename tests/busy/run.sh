#!/bin/bash
# tests/busy/run.sh [RUNS [LOOPS]]: the whole suite beside busy loops, 20 times beside 2. Whatever fails then depends on
# time instead of on an event. Prints a line for each run, with the tests that failed; the last line counts runs.
set -u
runs=${1:-20} loops=${2:-2}
cd "$(dirname "$0")/../.." || exit 2
out=$(mktemp) || exit 2
busy=()
trap 'rm -f "$out"; kill "${busy[@]}"' EXIT
for _ in $(seq "$loops"); do
    (while :; do :; done) &
    busy+=($!)
done

passed=0 failed=0
for run in $(seq "$runs"); do
    began=$SECONDS
    if tools/test --no-install >"$out" 2>&1 </dev/null; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    names=$(sed -nE 's/^[[:space:]]+[0-9]+ - ([a-z_]+(\.[a-z0-9_]+)?) \((Failed|Timeout|SEGFAULT|Subprocess.*|SIG.*|.*Exception.*)\)$/ \1/p' "$out")
    echo "run $run: $((SECONDS - began)) s, $(tail -n 1 "$out")$(paste -sd, <<<"$names")"
    [ -n "$names" ] && grep -E '^FAIL' "$out" | head -n 20
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
