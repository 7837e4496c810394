#!/bin/bash
# Promises: mtx-exporter runs without a configuration; waits for a segment; its page is accepted by promtool and by the
# OpenMetrics parser of Prometheus' Python client, also with awkward names and values; SIGHUP opens files anew, refuses
# a bad configuration and keeps the old; SIGTERM delivers everything and ends with 0; what the ledger says was delivered
# is what is in the file; a second exporter waits and takes over.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter awkward=$MTX_BUILD/tests/multi/awkward
work=$(mktemp -d) || exit 1
segment=/dev/shm/mtx-exporter-test-$$.seg
export MTX_SEGMENT=$segment
pids=()
. "${MTX_SOURCE:?}/tests/checks.sh"
finish() {
    [ ${#pids[@]} -gt 0 ] && kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$work" "$segment" "$segment".*
}
trap finish EXIT

status() { # status N COMMAND...
    local want=$1 got
    shift
    "$@"
    got=$?
    [ $got -eq "$want" ] || { echo "expected status $want, got $got" && return 1; }
}
address() { sed -nE 's/.*serving address=//p' "$1" | tail -n 1; }
get() { curl -sS -m 10 "$@"; }
ends_well() { # ends_well PID
    kill -TERM "$1"
    wait "$1"
    status=$?
    [ $status -eq 0 ] || { echo "ended with $status" && return 1; }
}

# --- Without a segment ----------------------------------------------------------------------------------------
check "the version" status 0 "$exporter" --version
check "the help" status 0 "$exporter" --help
check "an unknown argument" status 2 "$exporter" --confg x
check "an unknown backend" status 2 "$exporter" backends promteheus
check "its correction" sh -c "'$exporter' backends promteheus 2>&1 | grep -q 'did you mean prometheus'"
check "every backend explains itself" sh -c "for b in \$('$exporter' backends | sed -nE 's/^  ([a-z0-9]+)  .*/\1/p'); do '$exporter' backends \$b | grep -q include || exit 1; done"
"$exporter" --sample >"$work/sample.yml"
sed -i -E 's/# path: .*/path: "\/dev\/null"/; s/127.0.0.1:9464/127.0.0.1:0/; s/# (token|access_key): .*/\1: x/; s/# url: .*/url: "http:\/\/localhost"/' "$work/sample.yml"
check "the sample is a configuration" status 0 "$exporter" --config "$work/sample.yml" --check
printf 'intervall: 5s\nbackends: [{type: consol}]\n' >"$work/bad.yml"
check "a bad configuration" status 1 "$exporter" --config "$work/bad.yml"
"$exporter" --config "$work/bad.yml" 2>"$work/err"
check "the key's place" says 'bad.yml:1:1: unknown key "intervall" (did you mean interval?)' "$work/err"
check "the type's place" says 'bad.yml:2:19: there is no backend "consol" (did you mean console?)' "$work/err"

cat >"$work/c.yml" <<END
interval: 200ms
http: 127.0.0.1:0
backends:
  - type: prometheus
  - type: file
    path: $work/out.jsonl
    exclude: ["mtx.*"]
END
"$exporter" --config "$work/c.yml" >"$work/out" 2>"$work/err" &
first=$!
pids+=($first)
check "it waits for the segment" until_true 5 says "waiting for the segment" "$work/err"
check "and serves meanwhile" until_true 5 says "serving address=" "$work/err"
url=http://$(address "$work/err")
get "$url/metrics" >"$work/page"
check "attached to nothing" says "mtx_segment_attached 0" "$work/page"
check "healthy" get -f "$url/-/healthy"
check "not ready" sh -c "[ \$(curl -s -o /dev/null -w '%{http_code}' $url/-/ready) = 503 ]"

# --- With one -------------------------------------------------------------------------------------------------
mkfifo "$work/in"
"$awkward" <"$work/in" >"$work/ready" &
pids+=($!)
exec 9>"$work/in"
check "the program records" until_true 10 says ready "$work/ready"
check "the segment is followed" until_true 10 says "following segment=$segment" "$work/err"
check "ready" until_true 5 get -f "$url/-/ready"
get "$url/metrics" >"$work/page"
get -H 'Accept: application/openmetrics-text;version=1.0.0' "$url/metrics" >"$work/page.om"
check "attached" says "mtx_segment_attached 1" "$work/page"
check "exact integers" says "huge_total 18446744073709551615" "$work/page"
check "info" says 'build_info{version="1.0 \"final\""} 1' "$work/page"
check "compressed is the same page" sh -c "curl -s --compressed $url/metrics | grep -q '^huge_total 18446744073709551615'"
check "--check names what is left out" sh -c "'$exporter' --config $work/c.yml --check | grep -q 'a_b is left out'"

if command -v promtool >/dev/null; then
    promtool check metrics <"$work/page" >"$work/promtool" 2>&1
    # 3 = remarks about names, which are the user's; 1 = it cannot be read.
    check "promtool reads the page" test $? -ne 1
    check "promtool has nothing to say but about chosen names" sh -c \
        "! grep -vE '^(already_total|total|a_b|wait_seconds_count|x_created|_|help)' $work/promtool | grep ."
fi
if /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null; then
    cat >"$work/parse.py" <<'END'
import math, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as old
new = {(s.name, tuple(sorted(s.labels.items()))): s.value
       for f in text_string_to_metric_families(open(sys.argv[2], newline='').read()) for s in f.samples}
text = {(s.name, tuple(sorted(s.labels.items()))): s.value
        for f in old(open(sys.argv[1], newline='').read()) for s in f.samples}
assert len(new) > 100, len(new)
tags = [dict(k[1]) for k in new if k[0] == 'tags_total']
assert {'quote': 'a"b', 'back': 'c\\d', 'line': 'e\nf', 'utf': '€'} in tags, tags
assert abs(new[('age_seconds', ())] / 1.5e297 - 1) < 1e-12
# What OpenMetrics cannot say: sums and quantiles below zero.
missing = {k for k in text if k not in new and k[0] not in ('signed_sum', 'signed_count', 'plain_sum', 'plain')}
assert not missing, missing
END
    check "the reference parser reads both forms alike" /usr/bin/python3 "$work/parse.py" "$work/page" "$work/page.om"
fi

# --- Signals --------------------------------------------------------------------------------------------------
mv "$work/out.jsonl" "$work/out1.jsonl"
kill -HUP $first
check "SIGHUP reads again" until_true 5 says "configuration read again" "$work/err"
check "SIGHUP opens files anew" until_true 5 test -s "$work/out.jsonl"
check "the server goes on without a break" sh -c "[ \$(grep -c serving $work/err) = 1 ]"
sed -i 's/^http: .*/http: 127.0.0.2:0/' "$work/c.yml"
kill -HUP $first
check "or elsewhere" until_true 5 sh -c "grep -q 'serving address=127.0.0.2' $work/err"
check "where it answers" get -f "http://$(address "$work/err")/-/ready"
sed -i 's/^http: .*/http: 127.0.0.1:0/' "$work/c.yml"
kill -HUP $first
check "and back" until_true 5 sh -c "[ \$(grep -c 'serving address=127.0.0.1' $work/err) = 2 ]"
cp "$work/c.yml" "$work/good.yml" && echo "typo: 1" >>"$work/c.yml"
kill -HUP $first
check "a bad configuration is refused" until_true 5 says "the old one stays" "$work/err"
check "with the reason" says 'unknown key "typo"' "$work/err"
url=http://$(address "$work/err")
check "and the old one works on" get -f "$url/-/ready"
cp "$work/good.yml" "$work/c.yml"

"$exporter" --config "$work/c.yml" >"$work/out2" 2>"$work/err2" &
second=$!
pids+=($second)
check "a second exporter waits" until_true 5 says "another exporter leads" "$work/err2"
check "and binds nothing" says_not serving "$work/err2"
check "SIGTERM ends it with 0" ends_well $first
check "the second takes over" until_true 5 says "following" "$work/err2"
check "and serves" until_true 5 says "serving" "$work/err2"
delivered=$(sed -nE 's/.*ended backend=file taken=([0-9]+) delivered=([0-9]+).*/\2/p' "$work/err")
check "everything taken was delivered" says "ended backend=file taken=$delivered delivered=$delivered merged=0 dropped=0" "$work/err"
# The series with a line per worker has one line here; every other reading has one line, too.
sleep 0.5
check "SIGTERM ends the second" ends_well $second
# The second one goes on with the accounts of the first.
delivered=$(sed -nE 's/.*ended backend=file taken=([0-9]+) delivered=([0-9]+).*/\2/p' "$work/err2")
lines=$(cat "$work/out1.jsonl" "$work/out.jsonl" | wc -l)
check "the file holds what the ledger says ($lines lines)" test "$lines" -eq "$delivered"
check "every line is JSON" sh -c "cat $work/out1.jsonl $work/out.jsonl | /usr/bin/python3 -c 'import json,sys; [json.loads(l) for l in sys.stdin]'"

# --- A backend that is down ------------------------------------------------------------------------------------
cat >"$work/d.yml" <<END
interval: 200ms
http: off
flush_timeout: 3s
log: memory
backends:
  - {type: file, name: full, path: /dev/full, retry_most: 1s}
  - {type: file, name: fine, path: $work/fine.jsonl}
  - type: console
END
mkfifo "$work/stuck"
sleep 600 <"$work/stuck" &
pids+=($!)
exec 8>"$work/stuck"
head -c 65536 /dev/zero >&8 # the pipe is full: the console can write nothing
"$exporter" --config "$work/d.yml" >&8 2>"$work/err3" &
third=$!
pids+=($third)
check "a full disk is reported" until_true 5 says "No space left on device" "$work/err3"
check "and tried again" until_true 5 says "will try again" "$work/err3"
check "the others go on" until_true 5 sh -c "[ \$(jq -r .time $work/fine.jsonl | sort -u | wc -l) -ge 6 ]"
check "SIGTERM does not wait for ever" ends_well $third
check "what never arrived is counted" sh -c "sed -nE 's/.*backend=full taken=([0-9]+) delivered=0 merged=0 dropped=([0-9]+)/\1 \2/p' $work/err3 | awk '{ exit !(\$1 > 0 && \$1 == \$2) }'"
check "also behind a terminal that is stopped" says "backend=console" "$work/err3"
exec 8>&-
check "what arrived, too" sh -c "grep -qE 'backend=fine taken=([0-9]+) delivered=\\1 merged=0 dropped=0' $work/err3"

# --- Several segments ------------------------------------------------------------------------------------------
cat >"$work/e.yml" <<END
segment: ["$segment", "/dev/shm/mtx-exporter-more-$$-*.seg"]
interval: 200ms
http: 127.0.0.1:0
backends: [{type: prometheus}, {type: file, path: $work/more.jsonl, include: [only.*]}]
END
"$exporter" --config "$work/e.yml" >/dev/null 2>"$work/err4" &
fourth=$!
pids+=($fourth)
check "one is there" until_true 5 says "following segment=$segment" "$work/err4"
MTX_SEGMENT=/dev/shm/mtx-exporter-more-$$-b.seg "$awkward" </dev/null >/dev/null
check "another one comes" until_true 5 says "following segment=/dev/shm/mtx-exporter-more-$$-b.seg" "$work/err4"
url=http://$(address "$work/err4")
check "the page speaks of both" sh -c "curl -s $url/metrics | grep -qx 'mtx_segment_attached 2'"
rm -f "/dev/shm/mtx-exporter-more-$$-b.seg"
check "it goes" until_true 10 says "followed to its end segment=/dev/shm/mtx-exporter-more-$$-b.seg" "$work/err4"
check "the page knows" until_true 5 sh -c "curl -s $url/metrics | grep -qx 'mtx_segment_attached 1'"
check "SIGTERM ends it" ends_well $fourth

# --- Once -----------------------------------------------------------------------------------------------------
check "--once" status 0 sh -c "'$exporter' --once >$work/once 2>/dev/null"
check "--once prints the table" says "huge" "$work/once"
check "--once prints the page" says "huge_total 18446744073709551615" "$work/once"

# Events are taken by --once, too, and only once.
export MTX_SEGMENT=$segment.events
setsid "$MTX_BUILD/tests/delivery/emit" 1 50000 >"$work/emitted" &
emitter=$!
pids+=($emitter)
recorded() { [ "$("$MTX_BUILD/tools/mtxctl" events --once --type logs 2>/dev/null | wc -l)" -gt 4 ]; }
check "events are recorded" until_true 10 recorded
check "the emitter ends" ends_well $emitter
lines() { # lines WANT PATTERN FILE
    local got
    got=$(grep -cE "$2" "$3")
    [ "$got" = "$1" ] || { echo "$got lines, not $1" && return 1; }
}
n=$(cut -f2 "$work/emitted")
check "--once with events" status 0 sh -c "'$exporter' --once >$work/events 2>/dev/null"
check "--once takes log lines" lines "$n" '^[0-9-]+ [0-9:.]+ INFO +load\.log: 0 [0-9]+$' "$work/events"
check "--once takes spans" lines "$n" ' SPAN +load\.span 1ms ' "$work/events"
check "--once again" status 0 sh -c "'$exporter' --once >$work/again 2>/dev/null"
check "nothing comes twice" lines 0 ' load\.' "$work/again"
exec 9>&-
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
