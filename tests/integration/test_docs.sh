#!/bin/bash
# Promises: mtx-exporter accepts every configuration in the documentation; mtxctl send accepts every line of points in it;
# every backend has an example that names all of its options; the table of the exporter's own series is complete.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter mtxctl=$MTX_BUILD/tools/mtxctl
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export MTX_SEGMENT=$work/none.seg APPTUIT_API_TOKEN=x LIBRATO_TOKEN=x ANODOT_TOKEN=x ANODOT_ACCESS_KEY=x WAVEFRONT_TOKEN=x
lines=0
. "${MTX_SOURCE:?}/tests/checks.sh"
for page in "$MTX_SOURCE"/docs/*.md "$MTX_SOURCE"/docs/backends/*.md "$MTX_SOURCE"/README.md; do
    rm -f "$work"/block*
    awk -v dir="$work" '/^```yaml/ { on = 1; n++; next } /^```/ { on = 0 } on { print > (dir "/block" n ".yml") }' "$page"
    for block in "$work"/block*.yml; do
        grep -qs '^backends:' "$block" || continue
        check "${page#"$MTX_SOURCE"/}" "$exporter" --check --config "$block"
    done
    # ```jsonl BACKEND
    rm -f "$work"/points*
    awk -v dir="$work" '/^```jsonl / { on = 1; n++; file = dir "/points" n "." $2; next } /^```/ { on = 0 } on { print > file }' "$page"
    for block in "$work"/points*; do
        [ -e "$block" ] || continue
        backend=${block##*.}
        set -- --strict --dry-run "$block"
        [ "$backend" = wavefront ] && set -- --set url=http://127.0.0.1:9 "$@"
        [ "$backend" = apptuit ] && set -- --tag dc=eu "$@"
        check "${page#"$MTX_SOURCE"/}: points for $backend" "$mtxctl" send "$backend" "$@"
        lines=$((lines + 1))
    done
done

# names_all TYPE FILE: each option of the type is in the file, set or after a #.
names_all() {
    local option missing=0
    for option in $("$exporter" backends "$1" | sed -nE 's/^  ([a-z_0-9]+) .*/\1/p'); do
        grep -qE "^    (# )?$option:" "$2" || { echo "it does not name $option" && missing=1; }
    done
    return $missing
}
# own_series: in the table `a.b.c`, `.d` stands for a.b.c and a.b.d.
own_series() {
    diff <(sed -nE 's/^META\(META_[A-Z_]+, "([^"]+)".*/\1/p' "$MTX_SOURCE/exporters/log/meta.def" | sort) \
        <(sed -nE 's/^\| (`mtx\.[^|]*) \|.*/\1/p' "$MTX_SOURCE/docs/exporter.md" | tr -d '`,' |
            awk '{ stem = $1; sub(/\.[a-z]+$/, "", stem); print $1; for (i = 2; i <= NF; i++) print stem $i }' | sort)
}
check "docs/exporter.md and exporters/log/meta.def name the same series" own_series
for type in $("$exporter" backends | sed -nE 's/^  ([a-z0-9_]+) .*/\1/p'); do
    check "no example of $type" test -e "$MTX_SOURCE/examples/exporter/$type.yml"
done
for example in "$MTX_SOURCE"/examples/exporter/*.yml; do
    type=$(sed -nE 's/^  - type: //p' "$example")
    check "${example#"$MTX_SOURCE"/}" "$exporter" --check --config "$example"
    check "${example#"$MTX_SOURCE"/}" names_all "$type" "$example"
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -ge $((36 + lines)) ] && [ $lines -ge 7 ]
