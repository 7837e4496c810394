#!/bin/bash
# Promises: check accepts a valid segment, and names each damage with its place; it never crashes.
set -u
. "$(dirname "$0")/lib.sh"
common_reader check
make_job
"$work/job" count=1 gauge=2 time=3 fill=200
for k in 1 2 3; do mtxctl mark m k=$k && mtxctl unique s $k && mtxctl update h $k; done

expect 0 mtxctl check
out "^$MTX_SEGMENT: sound$"
expect 0 mtxctl check "$MTX_SEGMENT"
expect 0 mtxctl check --json
json ".segment == \"$MTX_SEGMENT\" and .damages == [] and .count == 0"
json '.kernel == "works" or .kernel == "untested"'
# What the test of the kernel said is noted: the segment's word on it has the running kernel's release.
if jq -e '.kernel == "works"' "$work/out" >/dev/null; then
    is "the verdict is noted with the kernel's release" "$(uname -r | cut -c1-39)" \
        "$(dd if="$MTX_SEGMENT" bs=1 skip=2072 count=40 status=none | tr -d '\0')"
    expect 0 mtxctl info --json
    json '.lanes_used == "cpu" and .lanes_why == "proved"'
    expect 0 env MTX_RSEQ=off mtxctl info --json
    json '.lanes_used == "atomic" and .lanes_why == "switched_off"'
    expect 0 mtxctl info
    out '^lanes .*the kernel has passed the test'
fi
expect 2 mtxctl check "$MTX_SEGMENT" --segment x
err 'give the segment once'

# patch OFFSET BYTES: a damaged copy
patch() {
    cp --sparse=always "$MTX_SEGMENT" "$work/bad.seg"
    printf "$2" | dd of="$work/bad.seg" bs=1 seek="$1" conv=notrunc status=none
}
# Records lie in the arena, which begins at 20480; the index before it, from 12288.
patch 12288 "$(printf '\\xff%.0s' $(seq 4096))"
expect 1 mtxctl check "$work/bad.seg"
out '^offset [0-9]+ \(0x[0-9a-f]+\): '
out ': [0-9]+ damages$'
expect 1 mtxctl check --json "$work/bad.seg"
json '.count == (.damages | length) and .count > 0'
json 'all(.damages[]; .offset >= 12288 and .offset < 20480 and (.damage | length) > 0)'
patch 0 'nonsense'
expect 3 mtxctl check "$work/bad.seg"
err 'bad.seg is not an mtx segment'
cp "$MTX_SEGMENT" "$work/bad.seg" && truncate -s 30000 "$work/bad.seg"
expect 3 mtxctl check "$work/bad.seg"
err 'bad.seg'

# Random damage anywhere: an answer, in time, and readers live.
RANDOM=4711 crashed=0
for round in $(seq 30); do
    patch $((4096 + RANDOM % 60000)) "$(printf '\\x%02x' $((RANDOM % 256)) $((RANDOM % 256)) $((RANDOM % 256)) 255 255 255 255)"
    for command in "check" "dump --json" "info --json" "ls"; do
        # shellcheck disable=SC2086
        timeout 20 mtxctl $command --segment "$work/bad.seg" >/dev/null 2>"$work/err"
        code=$?
        [ $code -le 3 ] || { crashed=$((crashed + 1)) && echo "$command ended with $code in round $round" && cat "$work/err"; }
    done
done
ran='mtxctl check, dump, info, ls of damaged copies'
is "no crash in 120 calls" 0 $crashed
finish
