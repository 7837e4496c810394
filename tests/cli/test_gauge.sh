#!/bin/bash
# Promises: a gauge that mtxctl sets outlives mtxctl; the gauges of programs are left alone.
set -u
. "$(dirname "$0")/lib.sh"
common gauge x 1

expect 0 mtxctl gauge temperature -12.5 room=a
expect 0 mtxctl gauge temperature 21 room=b
no_out .
no_err .
is "still there" "-12.5 21" "$(mtxctl get -v temperature | paste -sd' ')"
expect 0 mtxctl gauge temperature 1e-3 room=a
is "set again" 0.001 "$(mtxctl get -v temperature room=a)"
expect 0 mtxctl gauge temperature none room=a
expect 1 mtxctl get temperature room=a
err 'none has such a value now'
expect 0 mtxctl gauge temperature 5 room=a
is "a value again" 5 "$(mtxctl get -v temperature room=a)"
for v in warm nan inf 0x1; do
    expect 2 mtxctl gauge temperature $v
    err "\"$v\" is not a number"
done
expect 2 mtxctl gauge temperature
err 'it takes NAME VALUE'

# A gauge of living processes cannot be set from outside: the value would vanish with mtxctl.
make_job
"$work/job" gauge=7 ready="$work/ready" wait &
started+=($!)
wait_until 10 test -e "$work/ready"
is "the program's own" 7 "$(mtxctl get -v job.level)"
expect 4 mtxctl gauge job.level 9
err '^mtxctl gauge: job.level belongs to the processes that set it .*choose another name, or declare it .persistent'
expect 4 mtxctl gauge --json job.level 9
is "untouched" 7 "$(mtxctl get -v job.level)"
mtxctl inc counted
expect 4 mtxctl gauge counted 1
expect 0 mtxctl gauge --json temperature 6 room=a
json '.recorded and .tags.room == "a"'
finish
