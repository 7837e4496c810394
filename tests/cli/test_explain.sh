#!/bin/bash
# Promises: explain shows what each configured backend would send for a series, as the exporter itself then does, or
# which filter hides it.
set -u
. "$(dirname "$0")/lib.sh"
common_reader explain x
mtxctl add http.requests 42 status=200
mtxctl add http.requests 7 status=404
mtxctl update size 10
mtxctl inc app.debug

cat >"$work/exporter.yaml" <<YAML
segment: $MTX_SEGMENT
http: {listen: "off"}
tags: {service: shop}
backends:
  - type: prometheus
    prefix: web_
    exclude: ["app.*"]
  - type: file
    name: archive
    path: $work/report.json
    include: ["http.*", "app.*"]
    exclude: ["*.debug"]
YAML
export MTX_EXPORTER_CONFIG=$work/exporter.yaml
unset MTX_SEGMENT
expect 0 mtxctl explain http.requests status=200
out '^prometheus$'
out '^archive \(file\)$'
out '^  http\.requests status=200$'
out '^    as web_http\.requests service=shop status=200$'
out '^    values: count=42$'
out '^    \| web_http_requests_total\{service="shop",status="200"\} 42$'
no_out 404
is "a line for each backend" 2 "$(grep -c '^    | .*42' "$work/out")"

# Exactly what the exporter prints for it.
sed -nE 's/^    \| (web_http.*)$/\1/p' "$work/out" >"$work/explained"
mtx-exporter --once --config "$work/exporter.yaml" >"$work/page" 2>/dev/null
is "the exporter's own line" "$(grep '^web_http_requests_total.*200' "$work/page")" "$(cat "$work/explained")"
expect 0 mtxctl explain --json http.requests status=404
jq -r '.backends[] | select(.type == "file").series[0].payload' "$work/out" >"$work/payload"
is "the file's own line except the time" "$(grep '"http.requests"' "$work/report.json" | grep 404 | sed -E 's/"time":[^,]*,//; s/"(interval|seconds)[a-z_]*":[^,]*,?//g')" \
    "$(sed -E 's/"time":[^,]*,//; s/"(interval|seconds)[a-z_]*":[^,]*,?//g' "$work/payload")"

expect 0 mtxctl explain size
is "hidden by include" "    hidden by include: http.*, app.* does not match" "$(grep hidden "$work/out")"
expect 1 mtxctl explain app.debug
out '^    hidden by exclude: app\.\*$'
out '^    hidden by exclude: \*\.debug$'
expect 1 mtxctl explain http.request
err 'did you mean http.requests\?'
expect 2 mtxctl explain
err 'it takes GLOB'

expect 0 mtxctl explain --json size http.requests
json '[.backends[].backend] == ["prometheus", "archive"]'
json '.backends[0].series | length == 3'
json '.backends[0].series[] | select(.tags.status == "404") | .as.name == "web_http.requests" and .as.tags.service == "shop"'
json '.backends[1].series[] | select(.name == "size") | .hidden == "include: http.*, app.* does not match" and has("payload") == false'

# Series that would be equal on the page get a label that distinguishes them: with that label.
mtxctl inc http_requests status=200 --segment "$segment"
mtx-exporter --once --config "$work/exporter.yaml" >"$work/page" 2>/dev/null
expect 0 mtxctl explain http_requests
sed -nE 's/^    \| (web_http.*)$/\1/p' "$work/out" >"$work/explained"
is "one line of the page" 1 "$(grep -cxF -f "$work/explained" "$work/page")"
is "with the label" 1 "$(grep -c mtx_name "$work/explained")"

# Series that have to give way to another: the reason, and no line.
mtxctl time took --segment "$segment" -- true
mtxctl gauge took.seconds.sum 5 --segment "$segment"
expect 0 mtxctl explain took.seconds.sum took
mtx-exporter --check --config "$work/exporter.yaml" >"$work/checked" 2>&1
is "as --check says" "$(grep -o 'took.*is left out.*' "$work/checked")" "$(sed -nE 's/^  but (.*)/\1/p' "$work/out")"
is "one is left out" 1 "$(grep -c '^  but .*is left out' "$work/out")"
expect 0 mtxctl explain --json took.seconds.sum took
json '[.backends[0].series[] | select(.payload == "")] | length == 1'
json '.backends[0].notes | length == 1'

# What an interval adds.
# In the middle of its interval explain sleeps. If the machine was so busy that it no longer did when the update was made,
# the next try takes longer.
asleep() { grep -qF '(mtxctl) S ' "/proc/$pid/stat"; }
for over in 1 2 4 8 16; do
    before=$(mtxctl get -v http.requests status=200 --segment "$segment")
    mtxctl explain --over ${over}s http.requests status=200 --json >"$work/out" &
    pid=$!
    wait_until 10 asleep
    mtxctl add http.requests 5 status=200 --segment "$segment"
    asleep && inside=yes || inside=no
    wait $pid
    [ $inside = yes ] && break
done
ran="mtxctl explain --over ${over}s"
is "an update in the middle of the interval" yes $inside
json ".backends[0].series[0].as.values[0].value == $before + 5"
json '.backends[1].series[0].payload | fromjson | .count_delta == 5'

# Mistakes of the configuration.
echo 'backends: [{type: fil}]' >"$work/bad.yaml"
expect 2 mtxctl explain --config "$work/bad.yaml" x
err 'the configuration has mistakes:'
err 'bad.yaml:1:[0-9]+: .*fil'
expect 2 mtxctl explain --config "$work/none.yaml" x
err 'none.yaml'
printf 'segment: [%s, /dev/shm/mtx-b.seg]\nbackends: [{type: console}]\n' "$segment" >"$work/two.yaml"
expect 2 mtxctl explain --config "$work/two.yaml" x
err 'names several segments; choose one with --segment'
unset MTX_EXPORTER_CONFIG
MTX_SEGMENT=$segment expect 0 mtxctl explain http.requests
out '^console$'
out '^prometheus$'

# A series whose name another one has on the page has none there, and is not shown with one.
MTX_SEGMENT=$segment mtxctl add size.count 3
printf 'segment: %s\nbackends: [{type: prometheus}]\n' "$segment" >"$work/taken.yaml"
mtxctl gauge size_count 3 --segment "$segment"
expect 0 mtxctl explain --config "$work/taken.yaml" size_count size.count
is "the names shown with lines" "$(grep -c '^    | size_count' "$work/out")" "$(grep -c '^    as ' "$work/out")"
out '^    not on the page$'
out '^  but size_count is left out'
mtxctl gauge unset none --segment "$segment"
expect 0 mtxctl explain --config "$work/taken.yaml" unset
out '^    not on the page: it has no values now$'
no_out ' as unset'
expect 0 mtxctl explain --json --config "$work/taken.yaml" size_count
json '.backends[0].series[0] | .left_out and (has("as") | not)'

# What a service has no form for is left out: --check and explain say so beforehand, with the reason.
MTX_SEGMENT=$segment mtxctl inc many $(seq -f 't%g=v' 27)
MTX_SEGMENT=$segment mtxctl inc long "k=$(printf 'v%.0s' $(seq 300))"
printf 'segment: %s\nbackends:\n- {type: apptuit, token: t, disable_host_tag: true, include: [many, long, http.requests]}\n%s\n%s\n' \
    "$segment" "- {type: wavefront, url: 'http://127.0.0.1:1', token: t, include: [many, long]}" \
    "- {type: anodot20, token: t, include: [many, long]}" >"$work/limits.yaml"
expect 0 mtxctl explain --config "$work/limits.yaml" many long
out '^  but many.count: it has 27 tags; Apptuit accepts 1 to 25$'
out '^  but many.count: it has 27 tags; the other side accepts 20$'
out '^  but long.count: its tag k has a value of 300 characters; the other side accepts 253$'
out '^  but many: it has 27 dimensions'
mtx-exporter --check --config "$work/limits.yaml" >"$work/out" 2>&1
out '^#   many.count: it has 27 tags; Apptuit accepts 1 to 25$'
out '^#   long.count: its tag k has a value of 300'
out '^#   many: it has 27 dimensions'
finish
