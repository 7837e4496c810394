#!/bin/bash
# Promises: time runs the command as if it were not there (arguments, status, signals, output) and records how long
# it took, also when it fails; what goes wrong with the segment does not stop the command.
set -u
. "$(dirname "$0")/lib.sh"
common time x
make_job

expect 0 mtxctl time job.time kind=a -- printf '%s|' 'a b' '' --json
is "arguments and output" "a b||--json|" "$(cat "$work/out")"
is "recorded" 1 "$(mtxctl get -v -a count job.time kind=a)"
expect 7 mtxctl time job.time kind=a -- sh -c 'exit 7'
no_err .
expect 137 mtxctl time job.time kind=a -- "$work/job" raise=9
is "failures, too" 3 "$(mtxctl get -v -a count job.time kind=a)"
is "its kind and unit" "timer seconds" "$(mtxctl ls job.time | awk '{print $1, $2}')"

# At least the time between two moments of the command's life that we saw, and no more than passed here.
begin=$(date +%s%N)
mtxctl time slow -- "$work/job" ready="$work/started" until="$work/go" &
pid=$!
wait_until 10 test -e "$work/started"
inner=$(date +%s%N)
read -r -t 0.3 <> <(:)
inner=$(($(date +%s%N) - inner))
touch "$work/go"
wait $pid
end=$(date +%s%N)
took=$(mtxctl get -v -a max slow)
ran='mtxctl time slow -- ...'
is "between what the command waited and what passed: $took" true \
    "$(jq -n "$took >= $inner / 1e9 - 0.001 and $took <= ($end - $begin) / 1e9 + 0.001")"

expect 3 mtxctl time --status-tag tagged -- sh -c 'exit 3'
expect 0 mtxctl time tagged a=b --status-tag -- true
expect 0 mtxctl ls tagged
out 'tagged status=error$'
out 'tagged a=b status=ok$'

expect 127 mtxctl time none -- /no/such/command
err '^mtxctl time: cannot run /no/such/command: No such file'
expect 126 mtxctl time none -- /dev/null
err '^mtxctl time: cannot run /dev/null: Permission denied'
expect 1 mtxctl get none
expect 2 mtxctl time job.time true
err 'the command to run must follow --: mtxctl time NAME \[KEY=VALUE\.\.\.\] -- COMMAND'
expect 2 mtxctl time job.time --
err 'the command to run must follow --'
expect 2 mtxctl time -- true
err 'it takes NAME'
expect 2 mtxctl time job.time oops -- touch "$work/ran"
err '"oops" is not a tag'
is "not run after a mistake" no "$([ -e "$work/ran" ] && echo yes || echo no)"

expect 5 mtxctl time --json job.time kind=b -- sh -c 'echo from the command; exit 5'
is "standard output is the command's" "from the command" "$(cat "$work/out")"
cp "$work/err" "$work/out"
json '.name == "job.time" and .tags.kind == "b" and .exit_status == 5 and .recorded and .seconds > 0'

# The command runs whatever the segment does.
mtxctl inc counted
expect 4 mtxctl time counted -- sh -c 'exit 4'
err '^mtxctl time: .*counted'
expect 6 mtxctl time --segment /nowhere/x.seg t -- sh -c 'exit 6'
err '^mtxctl time: .*/nowhere/x.seg'

# Signals sent to mtxctl reach the command once; if a signal ends it, the exit status is that of a shell.
mtxctl time signalled -- "$work/job" ready="$work/ready" wait >"$work/out" &
pid=$!
started+=($pid)
wait_until 10 test -e "$work/ready"
kill -USR1 $pid
wait_until 10 grep -q usr1 "$work/out"
kill -TERM $pid
wait $pid
is "after SIGTERM, which the command handles" 0 $?
is "SIGUSR1 once" 1 "$(grep -c usr1 "$work/out")"
is "recorded" 1 "$(mtxctl get -v -a count signalled)"
mtxctl time killed -- sleep 60 &
pid=$!
started+=($pid)
wait_until 10 pgrep -P $pid
kill -TERM $pid
wait $pid
is "128 + 15" 143 $?
is "recorded" 1 "$(mtxctl get -v -a count killed)"
finish
