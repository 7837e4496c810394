#!/bin/bash
# run.sh BUILD SECONDS [TARGET...] - libFuzzer over the targets of a build with MTX_FUZZ, for SECONDS in all.
# A crash, a hang (10 s), more than 400 MiB at once or 1 GiB in all is a failure; the input is kept in
# BUILD/fuzz/. What was learnt stays in BUILD/fuzz/<target> for the next time. "storm" is the target attach beside a
# thread that writes into the segment all the time.
set -u
build=$(cd "${1:?the build directory}" && pwd) || exit 2
seconds=${2:?how many seconds}
shift 2
here=$(cd "$(dirname "$0")" && pwd) || exit 2
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(snapshot check attach storm lead events decode page config json line)
share=$((seconds / ${#targets[@]}))
[ $share -gt 0 ] || share=1
export ASAN_OPTIONS=allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}
# Memory that goes back to the system after each input costs more than the input.
export MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_TOP_PAD_=16777216
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

passed=0 failed=0 total=0
for target in "${targets[@]}"; do
    program=$target storm=0 leaks=1
    [ "$target" = storm ] && program=attach storm=1
    [ $program = attach ] && leaks=0 # handles are kept for ever, by design
    learnt=$build/fuzz/$program log=$build/fuzz/$target.log
    mkdir -p "$learnt"
    started=$SECONDS
    FUZZ_STORM=$storm "$build/tests/fuzz/fuzz_$program" -max_total_time=$share -timeout=10 -rss_limit_mb=1024 \
        -malloc_limit_mb=400 -max_len=4096 -detect_leaks=$leaks -reload=0 -print_final_stats=1 \
        -artifact_prefix="$build/fuzz/$target-" "$learnt" "$here/corpus/$program" >"$log" 2>&1 </dev/null &
    pid=$!
    wait $pid
    code=$?
    rm -f /dev/shm/mtx-fuzz-$pid.seg* # libFuzzer ends without its exit handlers
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    total=$((total + ${runs:-0}))
    if [ $code = 0 ]; then
        passed=$((passed + 1))
        printf '%-9s %9d executions in %d s\n' "$target" "${runs:-0}" $((SECONDS - started))
    else
        failed=$((failed + 1))
        printf '%-9s FAILED, all of it is in %s\n' "$target" "$log"
        grep -E 'broken:|ERROR|SUMMARY|runtime error|Test unit written|#[0-9]+ 0x.* in .*/(shm|registry|exporters|tests)/' "$log" | head -n 20
    fi
done
printf '%d executions\n%d passed, %d failed\n' $total $passed $failed
[ $failed = 0 ]
