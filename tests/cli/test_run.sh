#!/bin/bash
# Promises: run gives any command a segment and an exporter, reports all that it recorded (its gauges too, though it
# is dead by then), however short it was, and leaves nothing behind. The command's status, output and signals are its
# own, whatever happens to the metrics.
set -u
. "$(dirname "$0")/lib.sh"
common run x
make_job
shared=$segment
unset MTX_SEGMENT
exporters_of() { pgrep -f "mtx-exporter --segment $1" || true; }

cat >"$work/file.yaml" <<YAML
interval: 3600s
http: {listen: "off"}
backends:
  - type: file
    path: $work/report.json
    exclude: ["mtx.*"]
YAML
# reported NAME ATTRIBUTE: the last value of it in the report
reported() { jq -s "[.[] | select(.name == \"$1\" or .series == \"$1\")] | last" "$work/report.json"; }

# The last report has counters and gauges of a command that was over at once.
expect 7 mtxctl run --config "$work/file.yaml" -- "$work/job" say=hello count=3 gauge=42 exit=7
is "standard output is the command's" hello "$(cat "$work/out")"
is "its counter" true "$(reported job.count | jq 'tostring | test("[:,]3[,}]")')"
is "its gauge" true "$(reported job.level | jq 'tostring | test("[:,]42[,}]")')"
rm -f "$work/report.json"
expect 137 mtxctl run --config "$work/file.yaml" -- "$work/job" count=4 gauge=43 raise=9
is "its gauge, though it was killed" true "$(reported job.level | jq 'tostring | test("[:,]43[,}]")')"

# Gauges of processes that ended before are gone, as they should be.
rm -f "$work/report.json"
expect 0 mtxctl run --config "$work/file.yaml" -- sh -c "'$work/job' count=5 gauge=44; true"
is "the counter of its child" true "$(reported job.count | jq 'tostring | test("[:,]5[,}]")')"
is "the gauge of its dead child" false "$(jq -s 'map(tostring) | any(test("[:,]44[,}]"))' "$work/report.json")"

# Without a configuration: a table on stderr.
expect 0 mtxctl run -- "$work/job" count=12345 gauge=6
err '^job\.count +12345 '
err '^job\.level +6$'
no_err 'mtx\.exporter'
no_out .

# The environment, arguments, exit codes, JSON.
expect 0 mtxctl run -- sh -c 'echo "$MTX_SEGMENT $1"' sh --keep
out '^/dev/shm/mtx-[0-9]+-run-[0-9]+\.seg --keep$'
expect 0 mtxctl run printf '%s' -j
is "no -- is needed" -j "$(cat "$work/out")"
expect 127 mtxctl run -- /no/such/command
err '^mtxctl run: cannot run /no/such/command: No such file'
expect 126 mtxctl run -- /dev/null
expect 2 mtxctl run
err 'no command to run was given: mtxctl run \[--\] COMMAND'
expect 2 mtxctl run --deadline soon -- true
err '\-\-deadline takes a duration'
expect 3 mtxctl run --json -- "$work/job" gauge=1 exit=3
tail -n 1 "$work/err" >"$work/out"
json '.exit_status == 3 and .reported and .slots_held == 1'
is "no segment is left, nor its log" "" "$(find /dev/shm -path "$(jq -r .segment "$work/out")*")"

expect 0 mtxctl run --keep -- "$work/job" count=9
kept=$(sed -nE 's/^mtxctl run: the segment is kept at (.*)$/\1/p' "$work/err")
is "the kept segment" 9 "$(mtxctl get -v job.count --segment "$kept")"
rm -f "$kept" "$kept".*

# What is wrong with the metrics does not touch the command.
expect 5 mtxctl run --exporter /no/such/exporter -- "$work/job" say=ran exit=5
err 'cannot run /no/such/exporter: No such file.*nothing is reported'
out '^ran$'
echo 'backends: [{type: nonsense}]' >"$work/bad.yaml"
expect 5 mtxctl run --config "$work/bad.yaml" -- "$work/job" say=ran exit=5
err 'bad.yaml:1:'
err 'mtx-exporter ended with status 1; nothing more is reported'
out '^ran$'
expect 5 mtxctl run --segment /nowhere/x.seg -- "$work/job" say=ran exit=5
err '^mtxctl run: .*/nowhere/x.seg.*; the command runs, but nothing is reported'
out '^ran$'

# A segment that is there already is used and stays.
MTX_SEGMENT=$shared mtxctl add job.count 100
MTX_SEGMENT=$shared expect 0 mtxctl run -- "$work/job" count=1
err '^job\.count +101 '
is "it stays" 101 "$(mtxctl get -v job.count --segment "$shared")"
expect 0 mtxctl run --segment "$shared" -- "$work/job" count=1
is "by --segment, too" 102 "$(mtxctl get -v job.count --segment "$shared")"

# Signals: SIGTERM reaches the command, whose end is reported.
rm -f "$work/report.json"
mtxctl run --config "$work/file.yaml" -- "$work/job" count=77 gauge=8 ready="$work/ready" wait 2>"$work/err" &
pid=$!
started+=($pid)
wait_until 10 test -e "$work/ready"
kill -TERM $pid
wait $pid
is "its status" 0 $?
is "reported" true "$(reported job.count | jq 'tostring | test("[:,]77[,}]")')"

# Another exporter leads: it reports, and run waits until it has seen the gauges.
sed "s/3600s/200ms/" "$work/file.yaml" >"$work/other.yaml"
rm -f "$work/report.json"
mtx-exporter --config "$work/other.yaml" --segment "$shared" 2>"$work/exporter.err" &
exporter=$!
started+=($exporter)
leads() { mtxctl info --json --segment "$shared" | jq -e .exporter; }
wait_until 10 leads
expect 0 mtxctl run --json --segment "$shared" -- "$work/job" gauge=4711
tail -n 1 "$work/err" >"$work/out"
json '.reported == false and .slots_held == 1'
# It was read before run ended; the file gets it when its turn comes.
in_report() { jq -s -e 'map(tostring) | any(test("[:,]4711[,}]"))' "$work/report.json"; }
wait_until 10 in_report
is "the gauge in the other's report" true "$(in_report)"
is "the other one lives" true "$(kill -0 $exporter && echo true)"
kill -TERM $exporter
wait $exporter

# When mtxctl is killed, its exporter does not stay behind for ever.
mtxctl run --config "$work/file.yaml" -- "$work/job" ready="$work/ready2" wait 2>"$work/err" &
pid=$!
wait_until 10 test -e "$work/ready2"
own=/dev/shm/mtx-$(id -u)-run-$pid.seg
job=$(pgrep -P $pid -x job)
started+=($job)
wait_until 10 sh -c "mtxctl info --json --segment $own | jq -e .exporter"
{ kill -KILL $pid && wait $pid; } 2>/dev/null
gone() { [ -z "$(exporters_of "$own")" ]; }
wait_until 20 gone
is "the exporter is gone" "" "$(exporters_of "$own")"
rm -f "$own"
finish
