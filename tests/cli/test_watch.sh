#!/bin/bash
# Promises: watch shows what each interval has added, per series, and ends cleanly.
set -u
. "$(dirname "$0")/lib.sh"
common_reader watch --count 1
mtxctl add http.requests 10 status=200
mtxctl add --updown open 4
mtxctl gauge temp 20
mtxctl update size 7

begin=$(date +%s%N)
expect 0 mtxctl watch --count 1 --interval 50ms
end=$(date +%s%N)
out '^--- [0-9-]+T[0-9:.]+Z  \([0-9.]+ s\)$'
shown=$(sed -nE 's/^---.*\((.*) s\)$/\1/p' "$work/out")
is "at least the interval, and no more than passed: $shown" true \
    "$(jq -n "$shown >= 0.05 and $shown <= ($end - $begin) / 1e9")"
out '^http\.requests status=200 +count +10 +0 +0/s$'
out '^open +value +4 +0'
out '^temp +value +20 +0$'
out '^size +p99 +7$'
expect 0 mtxctl watch -n 3 -i 20ms 'http.*'
is "three intervals" 3 "$(grep -c '^---' "$work/out")"
is "one line each" 3 "$(grep -c '^http' "$work/out")"

# What is added while it watches: the deltas of all intervals together are all of it.
rm -f "$work/out"
mtxctl watch --json --interval 100ms http.requests fresh >"$work/out" 2>"$work/err" &
pid=$!
started+=($pid)
wait_until 10 test -s "$work/out"
mtxctl add http.requests 5 status=200
mtxctl add fresh 3
mtxctl add http.requests 2 status=200
added() { jq -s "[.[].readings[] | select(.name == \"$1\").values[].delta] | add" "$work/out"; }
seen() { [ "$(jq -s '[.[].readings[].values[].delta] | add' "$work/out")" = 10 ]; }
wait_until 10 seen
ran='mtxctl watch --json, then SIGINT'
kill -INT $pid
wait $pid
is "exit status" 0 $?
is "nothing on stderr" "" "$(cat "$work/err")"
is "deltas" "7 3" "$(added http.requests) $(added fresh)"
is "rate = delta / seconds" true "$(jq -s 'all(.[]; .seconds as $s | all(.readings[].values[]; (.rate - .delta / $s) | fabs < 1e-9))' "$work/out")"
is "each line a document of its own" "$(wc -l <"$work/out")" "$(jq -c . "$work/out" | wc -l)"

expect 0 mtxctl watch --count 1 --interval 20ms --changed
is "nothing has changed: only the heading" 1 "$(wc -l <"$work/out")"
expect 0 mtxctl watch -n 1 -i 20ms size -a count,max
is "chosen attributes" "count max" "$(awk '/^size/ {print $2}' "$work/out" | paste -sd' ')"

# SIGTERM ends it, too.
mtxctl watch --interval 3600s >"$work/out" &
pid=$!
started+=($pid)
reading() { find "/proc/$pid/fd" -lname "$MTX_SEGMENT" | grep -q .; }
wait_until 10 reading
kill -TERM $pid
wait $pid
is "after SIGTERM" 0 $?

# The segment is replaced under it: it follows.
rm -f "$work/out"
mtxctl watch --json --interval 50ms >"$work/out" &
pid=$!
started+=($pid)
wait_until 10 test -s "$work/out"
rm "$MTX_SEGMENT"
mtxctl add anew 3
replaced() { jq -s -e 'any(.[]; .replaced) and any(.[].readings[]; .name == "anew")' "$work/out"; }
wait_until 10 replaced
kill -INT $pid
wait $pid
is "said once" 1 "$(jq -s '[.[] | select(.replaced)] | length' "$work/out")"
is "everything counts from 0" 3 "$(jq -s '[.[].readings[] | select(.name == "anew").values[].delta] | add' "$work/out")"
finish
