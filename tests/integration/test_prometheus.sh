#!/bin/bash
# Promise: a real Prometheus server scrapes the endpoint during load, negotiates OpenMetrics by itself, and what it
# answers (rate, quantiles, histogram_quantile, up) is what the segment says: a steady load reads steady within 1 %.
# MTX_SCRAPE=15 scrapes every 15 s, as servers do, and takes two minutes; the suite scrapes every second.
# Runs alone: pages that are late because of other tests would be looked at again and again.
set -u
scrape=${MTX_SCRAPE:-1}
[ "${MTX_CAMPAIGN:-short}" = long ] && scrape=15
command -v prometheus >/dev/null || { echo "left out: prometheus is not installed" && exit 77; }
exporter=${MTX_BUILD:?}/exporters/mtx-exporter awkward=$MTX_BUILD/tests/multi/awkward
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-prometheus-test-$$.seg
pids=()
. "${MTX_SOURCE:?}/tests/checks.sh"
finish() {
    exec 9>&-
    [ ${#pids[@]} -gt 0 ] && kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$work" "$MTX_SEGMENT" "$MTX_SEGMENT".*
}
trap finish EXIT
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
query() { curl -sS -m 10 --data-urlencode "query=$1" "http://127.0.0.1:$port/api/v1/query" | jq -r '.data.result[0].value[1] // "none"'; }
is_near() { # is_near GOT WANT RELATIVE
    awk -v g="$1" -v w="$2" -v r="$3" 'BEGIN { d = g - w; if (d < 0) d = -d; exit !(g != "none" && d <= r * (w < 0 ? -w : w)) }'
}
near() { # near NAME GOT WANT RELATIVE
    if is_near "$2" "$3" "$4"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1)) && echo "FAIL $1: expected $3 within $4 of it, got $2"
    fi
}

mkfifo "$work/in"
"$awkward" <"$work/in" >"$work/ready" &
pids+=($!)
exec 9>"$work/in"
printf 'interval: 1s\nhttp: 127.0.0.1:0\nbackends: [{type: prometheus}]\n' >"$work/c.yml"
"$exporter" --config "$work/c.yml" 2>"$work/err" &
pids+=($!)
until_true 10 grep -q 'serving address=' "$work/err" || { cat "$work/err" && exit 1; }
until_true 10 grep -q 'following' "$work/err" || { cat "$work/err" && exit 1; }
address=$(sed -nE 's/.*serving address=//p' "$work/err")
port=$(free_port)
cat >"$work/p.yml" <<END
global: {scrape_interval: ${scrape}s, scrape_timeout: 1s}
scrape_configs:
  - {job_name: mtx, static_configs: [{targets: ["$address"]}]}
END
prometheus --config.file="$work/p.yml" --storage.tsdb.path="$work/data" --web.listen-address="127.0.0.1:$port" \
    --log.level=error >"$work/prometheus" 2>&1 &
pids+=($!)
scraped() { [ "$(query 'count_over_time(steady_total[1m])')" -ge 2 ]; }
until_true $((60 * scrape)) scraped || { echo "FAIL the server scrapes nothing" && cat "$work/prometheus" && exit 1; }

count() { curl -sS "http://$address/metrics" | sed -nE 's/^steady_total //p'; }
# A page that is late because the machine is busy reads as if the load were unsteady: then the next stretch is looked at. A
# page of old numbers never reads as steady.
for _ in 1 2 3 4; do
    from=$(count) began=$(date +%s.%N)
    sleep $((scrape == 1 ? 14 : 5 * scrape))
    to=$(count) ended=$(date +%s.%N)
    rate=$(awk -v a="$from" -v b="$to" -v s="$began" -v e="$ended" 'BEGIN { print (b - a) / (e - s) }')
    whole=$(query "rate(steady_total[$((scrape == 1 ? 12 : 4 * scrape))s])")
    moments=$(query "max_over_time(rate(steady_total[$((3 * scrape))s])[$((2 * scrape + (scrape == 1 ? 7 : 0)))s:${scrape}s])")
    is_near "$whole" "$rate" 0.01 && is_near "$moments" "$rate" 0.05 && break
done
near "up" "$(query up)" 1 0
near "nothing was refused" "$(query 'scrape_samples_scraped > 100')" "$(query scrape_samples_post_metric_relabeling)" 0
near "rate of a steady load" "$whole" "$rate" 0.01
near "every moment of it" "$moments" "$rate" 0.05
near "a large total" "$(query huge_total)" 18446744073709551615 0
near "quantile of a summary" "$(query 'wait_seconds{quantile="0.5"}')" 0.0015 0.000001
near "sum of a summary" "$(query wait_seconds_sum)" 0.0015 0.000001
near "all of a histogram" "$(query 'buckets_bytes_bucket{le="+Inf"}')" 1010 0
# Values i x 0.01 for i in -10..999: the median is 4.945; bounds grow by 2^(1/16) x stride.
near "quantile of a histogram" "$(query 'histogram_quantile(0.5, exponential_seconds_bucket)')" 4.945 0.5
near "a level" "$(query load_ratio)" 0.125 0.000001
near "a level per worker" "$(query 'count(workers)')" 1 0
near "info" "$(query 'count(build_info{version="1.0 \"final\""})')" 1 0
near "tags" "$(query 'tags_total{quote="a\"b", back="c\\d", line="e\nf", utf="€"}')" 1 0
near "series that share a name" "$(query 'count(a_b_total{mtx_name=~"a.b"})')" 2 0
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
