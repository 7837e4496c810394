#!/bin/bash
# Promises: events shows each event as it is recorded, filtered as asked, and takes none from an exporter.
set -u
. "$(dirname "$0")/lib.sh"
common_reader events --once
emit=$build/tests/delivery/emit

# What is there, in three forms of choice.
setsid "$emit" 1 1000 >"$work/count" &
pid=$!
started+=($pid)
some() { [ "$(mtxctl events --once --json 2>/dev/null | wc -l)" -gt 100 ]; }
wait_until 10 some
kill -TERM $pid
wait $pid
expect 0 mtxctl events --once --json
all=$(wc -l <"$work/out")
is "each line a document of its own" "$all" "$(jq -c . "$work/out" | wc -l)"
is "all types" "annotations logs points spans" "$(jq -r .signal "$work/out" | sort -u | paste -sd' ')"
is "each has its head" true "$(jq -s 'all(.[]; .time and .name and .tags)' "$work/out")"
expect 0 mtxctl events --once --json
is "they are still there" "$all" "$(wc -l <"$work/out")"
expect 0 mtxctl events --once --type spans,points worker=0
is "two types" "POINT SPAN" "$(awk '{print $3}' "$work/out" | sort -u | paste -sd' ')"
out '^[0-9-]+ [0-9:.]+ SPAN +load\.span 1ms \{worker=0,i=[0-9]+\} [0-9a-f]{32}/[0-9a-f]{16}$'
out '^[0-9-]+ [0-9:.]+ POINT +load\.point [0-9]+ \{worker=0\}$'
expect 0 mtxctl events --once --type spans i=7
is "a field is like a tag" 1 "$(wc -l <"$work/out")"
expect 0 mtxctl events --once 'load.l*'
out '^[0-9-]+ [0-9:.]+ INFO +load\.log: 0 [0-9]+$'
no_out SPAN
expect 0 mtxctl events --once --type logs --level warning
is "no line of that level" 0 "$(wc -l <"$work/out")"
expect 0 mtxctl events --once --last --count 3
is "three and no more" 3 "$(wc -l <"$work/out")"

# Those that come from now on, and a clean end.
mtxctl events --json --type points >"$work/live" 2>"$work/err" &
watcher=$!
started+=($watcher)
setsid "$emit" 1 5000 >"$work/count" &
pid=$!
started+=($pid)
wait_until 10 test -s "$work/live"
kill -TERM $pid
wait $pid
count=$(cut -f2 "$work/count")
seen() { [ "$(jq -s 'map(.value) | max' "$work/live")" = "$((count - 1))" ]; }
wait_until 10 seen
ran='mtxctl events, then SIGINT'
kill -INT $watcher
wait $watcher
is "exit status" 0 $?
is "nothing on stderr" "" "$(cat "$work/err")"
is "each once" "$(jq -s 'map(.value) | unique | length' "$work/live")" "$(wc -l <"$work/live")"

expect 2 mtxctl events --type gauges
err 'gauges.* is not annotations, spans, logs or points'
expect 2 mtxctl events --level loud
finish
