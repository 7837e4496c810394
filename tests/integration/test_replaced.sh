#!/bin/bash
# Promises: a segment that is deleted and made again under running writers and readers is noticed within an interval;
# the old one is followed to its end and the new one from its beginning, so that every update of either is reported once;
# no series is there twice in a segment's report or on the page, no delta is negative. If an exporter is killed or ends
# while another one waits, that one takes over, and the totals stay exact.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter ledger=$MTX_BUILD/tests/multi/ledger
work=$(mktemp -d) || exit 1
segment=/dev/shm/mtx-replaced-$$.seg
export MTX_SEGMENT=$segment MTX_QUIET=1
pids=() writers=0
. "${MTX_SOURCE:?}/tests/checks.sh"
finish() {
    [ ${#pids[@]} -gt 0 ] && kill -KILL "${pids[@]}" 2>/dev/null
    wait 2>/dev/null
    rm -rf "$work" "$segment" "$segment".*
}
trap finish EXIT
begins() { # begins: a writer, in the segment that now has the name
    "$ledger" "w$writers" </dev/null >"$work/total$writers" &
    pids+=($!)
    writer[writers]=$!
    writers=$((writers + 1))
}
ends() { # ends N: that writer
    kill -TERM "${writer[$1]}"
    wait "${writer[$1]}"
}
total() { cat "$work"/total* | awk '{ n += $1 } END { print n + 0 }'; }
deltas() { jq -s "[.[] | select(.name == \"$1\") | .count_delta] | add" "$work/out.jsonl"; }
writer=()
cat >"$work/a.yml" <<END
segment: $segment
interval: 250ms
http: 127.0.0.1:0
backends: [{type: prometheus}, {type: file, path: $work/out.jsonl, include: [ledger*]}]
END

# --- Deleted and made again -------------------------------------------------------------------------------------
begins
until_true 10 test -e "$segment"
"$exporter" --config "$work/a.yml" >/dev/null 2>"$work/err" &
first=$!
pids+=($first)
check "the segment is followed" until_true 10 says "following segment=$segment" "$work/err"
url=http://$(sed -nE 's/.*serving address=//p' "$work/err" | tail -n 1)/metrics
(
    # A reader of the page all the while: a series is there once.
    while [ -e "$work" ] && [ ! -e "$work/enough" ]; do
        curl -sS -m 5 "$url" 2>/dev/null | grep -v '^#' | sed -E 's/ [^ ]+$//' | sort | uniq -d
        echo >>"$work/pages"
        sleep 0.02
    done >"$work/twice"
) &
scraper=$!
pids+=($scraper)
slowest=0
for _ in 1 2 3; do
    sleep 0.6
    n=$(grep -c 'segment was replaced' "$work/err")
    rm -f "$segment"
    begins
    from=$(date +%s%N)
    until_true 10 sh -c "[ \$(grep -c 'segment was replaced' '$work/err') -gt $n ]"
    took=$((($(date +%s%N) - from) / 1000000))
    [ $took -gt $slowest ] && slowest=$took
    sleep 0.6 # old and new are written, and followed, together
    ends $((writers - 2))
done
check "three replacements are noticed (the slowest after $slowest ms; the exporter looks once a second)" \
    is "$(grep -c 'segment was replaced' "$work/err")" 3
check "each old one is followed to its end" until_true 10 \
    sh -c "[ \$(grep -c 'followed to its end' '$work/err') = 3 ]"
ends $((writers - 1))
touch "$work/enough"
wait $scraper
kill -TERM $first
wait $first
check "the exporter ends well" is $? 0
check "every update is reported once: $(total) of $writers writers" is "$(deltas ledger)" "$(total)"
check "under the writers' own tags, too" is "$(deltas ledger.mine)" "$(total)"
check "the histogram as well" is "$(deltas ledger.size)" "$(total)"
check "no delta is negative" is "$(jq -s '[.[] | .count_delta // 0 | select(. < 0)] | length' "$work/out.jsonl")" 0
# While an old segment is followed to its end each report is two, one of each segment, at the same time: of other series.
jq -c '[.time, .name, .tags]' "$work/out.jsonl" | sort | uniq -c | awk '{ print $1 }' | sort -n | uniq -c >"$work/copies"
check "no series is twice in a report of a segment ($(wc -l <"$work/out.jsonl") lines)" \
    is "$(awk '$2 > 1' "$work/copies")" ""
# A series falls where a segment was made anew, and nowhere else: then the next one begins.
jq -r 'select(.count) | [.name, (.tags | tostring), .count] | @tsv' "$work/out.jsonl" |
    awk -F '\t' '{ k = $1 $2 } $3 + 0 < last[k] { falls[k]++ } { last[k] = $3 + 0 } END { for (k in falls) print falls[k], k }' >"$work/falls"
check "no series of a total goes back and forth between two segments" is "$(awk '$1 > 3' "$work/falls")" ""
check "series of the old ones beside the new" says mtx_segment "$work/out.jsonl"
check "nor on the page ($(wc -l <"$work/pages") pages)" is "$(head -n 3 "$work/twice")" ""

# --- One exporter after the other -------------------------------------------------------------------------------
rm -f "$segment" "$segment".* "$work"/total* "$work/out.jsonl"
begins
until_true 10 test -e "$segment"
last=''
start() { # start N: one that waits, or leads
    "$exporter" --config "$work/a.yml" >/dev/null 2>"$work/err$1" &
    last=$!
    pids+=($last)
}
start 1
leader=$last
check "one leads" until_true 10 says "following" "$work/err1"
for n in 2 3 4 5; do
    start $n
    check "another waits" until_true 10 says "another exporter leads" "$work/err$n"
    sleep 0.7
    if [ $((n % 2)) = 0 ]; then how=KILL; else how=TERM; fi
    kill -$how "$leader"
    wait "$leader" 2>/dev/null
    check "SIG$how: it follows" until_true 10 says "following" "$work/err$n"
    leader=$last
done
sleep 0.5
ends $((writers - 1))
kill -TERM "$leader"
wait "$leader"
check "the last one ends well" is $? 0
check "the last total is the writer's" is "$(jq -s '[.[] | select(.name == "ledger")] | last.count' "$work/out.jsonl")" "$(total)"
check "no total falls" is \
    "$(jq -s '[.[] | select(.name == "ledger") | .count] | . == sort' "$work/out.jsonl")" true
missing=$(($(total) - $(deltas ledger)))
check "no delta is missing (what a SIGKILL caught between delivery and its note may be there twice: $((-missing)))" \
    test $missing -le 0
echo "$passed passed, $failed failed"
[ $failed = 0 ]
