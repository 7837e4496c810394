#!/bin/bash
# Promise: what the workers of a real server counted together is what its clients saw, to the last request, while
# workers are recycled; and within the requests that broke off while workers are killed. Gauges heal: after all load
# has ended nothing is in flight, although workers died with requests in their hands.
set -u
top=${MTX_SOURCE:?} build=${MTX_BUILD:?}
. "$top/tools/lib.sh"
seconds=3 requests=3000 # of the workers, each of which is recycled after 400
[ "${MTX_CAMPAIGN:-short}" = long ] && seconds=60 requests=60000
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-server-$$.seg
server_pid=''
trap '[ -n "$server_pid" ] && stop TERM $server_pid; rm -rf "$work" "$MTX_SEGMENT"' EXIT
passed=0 failed=0
expect() { # expect WHAT LEFT OPERATOR RIGHT
    if [ "$2" "$3" "$4" ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && echo "FAIL $1: not $2 $3 $4"; fi
}
number() { "$build/tools/mtxctl" get --json "$@" 2>/dev/null | jq '[.readings[].values[] | select(.attribute == "count" or .attribute == "value").value] | add // 0'; }
tally() { jq "$1" "$work/load.json"; }

"$build/examples/server" --workers 3 --threads 3 --requests 400 >"$work/server.out" 2>&1 &
server_pid=$!
wait_until 60 grep -q listening "$work/server.out" || { cat "$work/server.out" && exit 1; }
port=$(sed -nE 's/^listening on 127.0.0.1:([0-9]+).*/\1/p' "$work/server.out")
expect "series are there before the first request" "$(number http.requests)" = 0

"$build/examples/load" --port "$port" --connections 8 --clients 30 --seconds 600 --requests $requests >"$work/load.json" ||
    exit 1
calm=$(number http.requests)
expect "requests were completed" "$(tally .completed)" -gt 100
expect "counted = completed" "$calm" = "$(tally .completed)"
expect "status 500 too" "$(number http.requests status=500)" = "$(tally '.status["500"] // 0')"
expect "status 404 too" "$(number http.requests status=404)" = "$(tally '.status["404"] // 0')"
expect "sizes are counted as often" "$(number http.response.size)" = "$calm"
expect "bytes" "$(number http.bytes.sent)" = "$(tally .body_bytes)"
expect "times, except of unknown routes" "$(number http.request.time)" = $((calm - $(tally '.status["404"] // 0')))
expect "distinct clients" "$(number http.clients)" = 30
expect "workers were recycled" "$(number http.workers.replaced why=recycled)" -ge 1

# Load, and more of it on a machine that is too busy to kill three workers meanwhile.
kills=0 completed=0 broken=0
while [ $kills -lt 3 ]; do
    "$build/examples/load" --port "$port" --connections 8 --pause-us 100 --seconds $seconds >"$work/load.json" &
    load_pid=$!
    while kill -0 $load_pid 2>/dev/null; do
        sleep 0.4
        mapfile -t workers < <(children_of $server_pid)
        [ ${#workers[@]} -gt 0 ] && kill -KILL "${workers[RANDOM % ${#workers[@]}]}" 2>/dev/null && kills=$((kills + 1))
    done
    wait $load_pid || exit 1
    completed=$((completed + $(tally .completed))) broken=$((broken + $(tally .broken)))
done
counted=$(($(number http.requests) - calm))
echo "$kills kills: $completed completed, $broken broken, $counted counted"
expect "completed <= counted" "$completed" -le "$counted"
expect "counted <= completed + broken" "$counted" -le $((completed + broken))
# Of a worker that was killed last: once its parent has seen it.
is_zero() { [ "$(number http.in_flight)" = 0 ]; }
wait_until 60 is_zero
expect "nothing is in flight any more" "$(number http.in_flight)" = 0
was_killed() { [ "$(number http.workers.replaced why=killed)" -ge 1 ]; }
wait_until 60 was_killed
expect "the server has seen it" "$(number http.workers.replaced why=killed)" -ge 1
# A worker killed while it ended is counted as killed or recycled, one killed before its pid was known as neither.
expect "kills are counted" "$(number http.workers.replaced why=killed)" -le "$kills"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
