#!/bin/bash
# Promises: get prints the exact values that were recorded, chosen by name, tag and attribute, for people, scripts
# and JSON readers.
set -u
. "$(dirname "$0")/lib.sh"
common_reader get x

mtxctl add big 9007199254740993
mtxctl add http.requests 42 status=200
mtxctl add http.requests 8 status=404
mtxctl add --updown open -3
mtxctl gauge temp -12.5
for v in 1 2 3 4; do mtxctl update size $v; done

expect 0 mtxctl get http.requests status=200
out '^http\.requests status=200  count  42$'
is "lines" 1 "$(wc -l <"$work/out")"
expect 0 mtxctl get --value http.requests status=404
is "only the number" 8 "$(cat "$work/out")"
expect 0 mtxctl get -v big
is "beyond 2^53" 9007199254740993 "$(cat "$work/out")"
expect 0 mtxctl get -v open
is "below 0" -3 "$(cat "$work/out")"
expect 0 mtxctl get -v temp
is "a gauge" -12.5 "$(cat "$work/out")"

expect 0 mtxctl get size
out '^size  count +4$'
out '^size  sum +10$'
out '^size  min +1$'
out '^size  max +4$'
out '^size  mean +2\.'
out '^size  p50 +2\.'
# Younger values weigh a little more.
expect 0 mtxctl get --json size
json 'all(.readings[0].values[] | select(.attribute == "mean" or .attribute == "p50"); .value >= 2.49 and .value < 2.6)'
expect 0 mtxctl get size --attributes count,p99.9,max
is "chosen attributes" "count max p999" "$(awk '{print $2}' "$work/out" | paste -sd' ')"
expect 0 mtxctl get size -a p50 -a mean
is "the option twice" "mean p50" "$(awk '{print $2}' "$work/out" | paste -sd' ')"
expect 0 mtxctl get size -a quantiles
is "a group" 6 "$(wc -l <"$work/out")"
expect 2 mtxctl get size -a p5O
err '\-\-attributes: "p5O" is not an attribute'
expect 2 mtxctl get size -a meen
err 'did you mean mean\?'
expect 2 mtxctl get size -a ,
err '\-\-attributes takes a list separated by commas, not ","'
expect 1 mtxctl get temp -a p50
err '1 series match, but none has such a value now'
expect 1 mtxctl get temq
err 'did you mean temp\?'
expect 2 mtxctl get
err 'it takes GLOB\.\.\. \[KEY=VALUE\.\.\.\]'

expect 0 mtxctl get --json 'http.*' big
json '[.readings[] | select(.name == "http.requests").values[] | select(.attribute == "count").value] | add == 50'
out '"value":9007199254740993,'
json '.readings[] | select(.name == "big").values[0] | .nature == "total" and .scope == "lifetime"'
expect 0 mtxctl get --json size -a p50,count
json '.readings[0].values | map(.attribute) == ["count", "p50"]'
json '.readings[0].values[1] | .quantile == 0.5 and .nature == "quantile"'

# Fresh: what another process has just added is there.
mtxctl inc http.requests status=200
expect 0 mtxctl get -v http.requests status=200
is "one more" 43 "$(cat "$work/out")"
mtxctl dump -m "$work/saved.mtx"
mtxctl inc http.requests status=200
expect 0 mtxctl get -v http.requests status=200 --from "$work/saved.mtx"
is "as it was saved" 43 "$(cat "$work/out")"
expect 0 sh -c "mtxctl get -v http.requests status=200 --from - <'$work/saved.mtx'"
is "from standard input" 43 "$(cat "$work/out")"
finish
