#!/bin/bash
# Promises: status shows per backend what mtx-exporter has done with the readings, as the exporter counted it.
set -u
. "$(dirname "$0")/lib.sh"
common_reader status
mtxctl inc a
expect 1 mtxctl status
err '^mtxctl status: no mtx-exporter has written to this segment$'
expect 1 mtxctl status --json
json '.backends == [] and .exporter == false'

cat >"$work/exporter.yaml" <<YAML
segment: $MTX_SEGMENT
interval: 100ms
flush_timeout: 200ms
log: memory
http: {listen: "off"}
backends:
  - {type: file, name: kept, path: $work/kept.json}
  - {type: file, name: lost, path: /dev/full, include: [a]}
YAML
mtx-exporter --config "$work/exporter.yaml" >"$work/exporter.out" 2>&1 &
exporter=$!
started+=($exporter)
delivered() { mtxctl status --json | jq -e '.backends | any(.backend == "kept" and .delivered > 10) and any(.backend == "lost" and .retries > 0)'; }
wait_until 20 delivered
expect 0 mtxctl status
out '^An exporter leads the segment\.$'
out '^backend +taken +delivered +failed +merged +dropped +queued +kept +lag +retries +points +send p50 +send p99 +scrapes$'
out '^kept +[0-9]+ +[0-9]+ '
out '^lost +[0-9]+ +0 '
out '^mtx\.exporter\.snapshot\.time \(p99\) +[0-9.e-]+ +seconds$'
out '^mtx\.segment\.series +[0-9]+ +series$'
expect 0 mtxctl status --json
json '.exporter and ([.backends[].backend] == ["kept", "lost"])'
json '.backends[] | select(.backend == "kept") | .failed == 0 and .send_p99 > 0 and .lag >= 0'
json '.backends[] | select(.backend == "lost") | .delivered == 0 and .queued > 0 and .retries > 0'

# Counted alike everywhere: the ledger balances in what status shows once the exporter is done.
kill -TERM $exporter
wait $exporter
expect 0 mtxctl status
out '^No exporter leads the segment now; this is what the last one left\.$'
out '^mtx\.exporter\.dropped backend=lost reason=shutdown signal=metrics +[0-9]+ '
expect 0 mtxctl status --json
json 'all(.backends[]; .taken == .delivered + .merged + (.dropped // 0))'
json '.exporter == false and all(.backends[]; .queued == null)'
expect 2 mtxctl status kept
err 'it takes no arguments'
finish
