#!/bin/bash
# Promises: info shows the segment's size and state, its living processes, and what it had to refuse.
set -u
. "$(dirname "$0")/lib.sh"
common_reader info
mtxctl inc a k=1
mtxctl inc a k=2
mtxctl mark b

expect 0 mtxctl info
out "^segment +$MTX_SEGMENT$"
out '^format +[0-9]+\.[0-9]+, incarnation [0-9a-f]{16}$'
out '^created +[0-9-]+T[0-9:.]+Z \([0-9.]+ s ago\)$'
out '^memory +[0-9.]+ KiB of 32 MiB used \([0-9.]+%\), [0-9.]+ [KM]iB resident$'
out '^series +3 in 2 families$'
out '^writers +none attached; 0 living processes hold one of [0-9]+ slots$'
out '^exporter +none leads; '
out '^refused +nothing$'
no_out '^Processes'
expect 2 mtxctl info here
err 'it takes no arguments'

make_job
"$work/job" gauge=7 ready="$work/ready" wait &
job=$!
started+=($job)
wait_until 10 test -e "$work/ready"
expect 0 mtxctl info
out '^writers +attached; 1 living processes hold one of '
out "^ +1 +$job +alive +[0-9-]+T[0-9:.]+Z +job$"
expect 0 mtxctl info --json
json ".processes == [{slot: 1, pid: $job, name: \"job\", alive: true, weak: false, started_ns: .processes[0].started_ns}]"
json '.attached and .writers == 1 and .exporter == false'
json '.fill == .bytes_used / .bytes_limit and .fill > 0 and .bytes_limit == 33554432 and .series == 4'
json '.losses | has("segment_full") and all(.[]; . == 0)'
kill -KILL $job
wait $job 2>/dev/null
expect 0 mtxctl info
out '^writers +none attached; 0 living'
out "^ +1 +$job +gone "

mtxctl mark a 2>/dev/null
mtxctl inc $'bad\nname' 2>/dev/null
expect 0 mtxctl info
out '^refused +kind_clash 1, bad_name 1$'
out '^Refused, the last ones:'
out '^ +1 +kind_clash +a$'
out '^ +2 +bad_name '
no_out '^name'
expect 0 mtxctl info --json
json '.losses.kind_clash == 1 and .losses.bad_name == 1'
json '[.refusals[] | .reason] == ["kind_clash", "bad_name"]'
finish
