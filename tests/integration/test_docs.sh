#!/bin/bash
# Promise: every configuration that the documentation shows is one that mtx-exporter takes.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export MTX_SEGMENT=$work/none.seg APPTUIT_API_TOKEN=x LIBRATO_TOKEN=x ANODOT_TOKEN=x ANODOT_ACCESS_KEY=x WAVEFRONT_TOKEN=x
passed=0 failed=0
for page in "${MTX_SOURCE:?}"/docs/*.md "$MTX_SOURCE"/docs/backends/*.md "$MTX_SOURCE"/README.md; do
    rm -f "$work"/block*
    awk -v dir="$work" '/^```yaml/ { on = 1; n++; next } /^```/ { on = 0 } on { print > (dir "/block" n ".yml") }' "$page"
    for block in "$work"/block*.yml; do
        grep -qs '^backends:' "$block" || continue
        if "$exporter" --check --config "$block" >"$work/out" 2>&1; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "FAIL ${page#"$MTX_SOURCE"/}:"
            cat "$work/out"
        fi
    done
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -ge 7 ]
