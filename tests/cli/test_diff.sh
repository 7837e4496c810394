#!/bin/bash
# Promises: diff names every value that differs between two snapshots, exactly, and nothing else.
set -u
. "$(dirname "$0")/lib.sh"
common_saved() { common diff "$@"; }
mtxctl add steady 5
mtxctl add http.requests 9007199254740993 status=200
mtxctl gauge temp 20
mtxctl time took -- true
expect 0 mtxctl dump --msgpack "$work/a.mtx"
common_saved "$work/a.mtx"

expect 0 mtxctl diff "$work/a.mtx" "$work/a.mtx"
is "only the heading" 1 "$(wc -l <"$work/out")"
out '^# from [0-9T:.-]+Z to [0-9T:.-]+Z \(0 s\)$'
expect 0 mtxctl diff "$work/a.mtx"
no_out '^[~+*-]'

mtxctl add http.requests 1 status=200
mtxctl inc http.requests status=500
mtxctl gauge temp 18.5
expect 1 mtxctl diff "$work/a.mtx"
out '^~  http\.requests status=200 +count +9007199254740993 +9007199254740994 +\+1 +[0-9.]+/s$'
out '^\+  http\.requests status=500 +count +1$'
out '^~  temp +value +20 +18\.5 +-1\.5$'
is "nothing else" 3 "$(grep -c '^[~+*-]' "$work/out")"
no_err .
expect 0 mtxctl dump --msgpack "$work/b.mtx"
expect 1 mtxctl diff "$work/b.mtx" "$work/a.mtx"
out '^-  http\.requests status=500 +count +1$'
expect 1 mtxctl diff "$work/a.mtx" "$work/b.mtx" --only 'te*,none'
is "only temp" 1 "$(grep -c '^[~+*-]' "$work/out")"
expect 0 mtxctl diff "$work/a.mtx" "$work/b.mtx" --only 'stea*'
expect 2 mtxctl diff "$work/a.mtx" --only '[x'
err 'has a \[ without its \]'

# Rates and quantiles move by themselves: only with --all.
expect 1 mtxctl diff "$work/a.mtx" "$work/b.mtx" --all
out '^~  took +mean_rate '

expect 1 mtxctl diff --json "$work/a.mtx" "$work/b.mtx"
json '.differences | length == 3'
out '"before":9007199254740993,"after":9007199254740994,"delta":1,'
json '.differences[] | select(.change == "added") | .tags.status == "500" and .before == null and .after == 1'
json '.seconds > 0 and .before.wall_ns < .after.wall_ns and .before.incarnation == .after.incarnation'

# Another segment of the same names: values begin anew.
rm "$MTX_SEGMENT"
mtxctl add steady 2
expect 1 mtxctl diff "$work/a.mtx" --only steady
out 'two different segments'
out '^\*  steady +count +5 +2$'
expect 1 mtxctl diff --json "$work/a.mtx" --only steady
json '.differences[0] | .change == "restarted" and .before == 5 and .after == 2 and has("delta") == false'

expect 3 mtxctl diff "$work/none.mtx"
err "cannot open $work/none.mtx"
expect 3 mtxctl diff "$work/a.mtx" "$work/none.mtx"
expect 3 mtxctl diff "$work/a.mtx" --segment "$work/none.seg"
err 'there is no segment at'
expect 2 mtxctl diff
err 'it takes BEFORE \[AFTER\]'
expect 2 mtxctl diff - -
err 'only one of the two snapshots can be standard input'
expect 1 sh -c "mtxctl diff - '$work/b.mtx' <'$work/a.mtx'"
is "from standard input" 3 "$(grep -c '^[~+*-]' "$work/out")"
finish
