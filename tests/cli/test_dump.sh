#!/bin/bash
# Promises: dump shows every value of every series, also when all processes are dead; a saved snapshot gives back the
# same values, and never half of them.
set -u
. "$(dirname "$0")/lib.sh"
common_reader dump

make_job
{ "$work/job" count=9007199254740993 gauge=5 time=2000000 time=4000000 raise=9; } 2>/dev/null
mtxctl inc http.requests status=200
mtxctl gauge temp 21

expect 0 mtxctl dump
out '^# taken [0-9-]+T[0-9:.]+Z, segment [0-9a-f]{16}, 5 series$'
out '^counter job\.count$'
out '^    count +9007199254740993$'
out '^timer job\.time$'
out '^    count +2$'
out '^    sum +0\.006 +seconds$'
out '^    p50 +0\.00[23][0-9]* +seconds$'
out '^gauge job\.level$'
no_out '^    value +5$'
out '^    value +21$'
expect 0 mtxctl dump 'http.*' status=200
is "one series" 1 "$(grep -c '^[a-z]' "$work/out")"
expect 1 mtxctl dump 'nothing.*'
err 'none of the 5 series matches'

expect 0 mtxctl dump --json
json '.readings | length == 5'
json '[.readings[] | select(.name == "job.time").values[] | select(.attribute == "distribution").value.centroids[][1]] | add == 2'
json '.readings[] | select(.name == "job.time").values[] | select(.attribute == "sum") | .value == 0.006 and .unit == "seconds" and .nature == "total"'
cp "$work/out" "$work/live.json"

# Saved and read again: the same, to the last digit.
expect 0 mtxctl dump --msgpack "$work/saved.mtx"
no_out .
expect 0 mtxctl dump --json --from "$work/saved.mtx" -s "$work/none.seg"
cp "$work/out" "$work/saved.json"
steady='[.readings[] | {name, tags, kind, unit, start_ns, values: [.values[] | select(.nature != "rate")]}]'
is "the same readings" "$(jq -c "$steady" "$work/live.json")" "$(jq -c "$steady" "$work/saved.json")"
json '.readings | map(select(.name == "job.count").values[0].value) | length == 1'
out '"value":9007199254740993'
mtxctl dump --msgpack - >"$work/piped.mtx"
expect 0 mtxctl ls --from "$work/piped.mtx"
is "by way of a pipe" 5 "$(wc -l <"$work/out")"

# FILE is a whole snapshot or what it was; nothing but FILE is touched.
expect 0 mtxctl dump --msgpack "$work/saved.mtx"
is "no other file is left" "" "$(ls "$work" | grep part)"
expect 5 mtxctl dump --msgpack "$work/no/such/dir"
err 'cannot write .*/no/such/dir: No such file'
expect 0 mtxctl dump --msgpack /dev/null
is "a device stays one" "character special file" "$(stat -c %F /dev/null)"
ln -s "$work/target.mtx" "$work/link.mtx" && : >"$work/target.mtx"
expect 0 mtxctl dump -m "$work/link.mtx"
is "a link stays one" "symbolic link" "$(stat -c %F "$work/link.mtx")"
expect 0 mtxctl ls --from "$work/target.mtx"
expect 2 mtxctl dump --msgpack "$work/x" 'http.*'
err '\-\-msgpack saves the whole snapshot'
expect 2 mtxctl dump --msgpack "$work/x" --json
expect 0 sh -c "mtxctl dump --from - <'$work/saved.mtx'"

# Damaged files are refused, wherever they are cut or changed.
size=$(stat -c %s "$work/saved.mtx")
refused=0 tried=0
for cut in 0 1 2 10 $((size / 2)) $((size - 1)); do
    head -c "$cut" "$work/saved.mtx" >"$work/cut.mtx"
    tried=$((tried + 1))
    mtxctl dump --from "$work/cut.mtx" >"$work/out" 2>"$work/err"
    [ $? = 3 ] && refused=$((refused + 1))
done
ran='mtxctl dump --from CUT'
is "cut files refused" $tried $refused
err 'cut.mtx is not a snapshot saved by mtxctl dump --msgpack'

# Buckets, and text that would steer a terminal.
mtxctl inc odd $'tag=\e[31mred\u009b2J'
expect 0 mtxctl dump odd
no_out $'\e'
finish
