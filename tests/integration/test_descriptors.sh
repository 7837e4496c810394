#!/bin/bash
# Promises: mtx-exporter and mtxctl that are started without standard input, output or error never get another file
# under these numbers: neither the segment nor a log nor a backend's file ever receives their text.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter mtxctl=$MTX_BUILD/tools/mtxctl
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-descriptors-test-$$.seg
. "${MTX_SOURCE:?}/tests/checks.sh"
exporter_pid=
finish() {
    [ -z "$exporter_pid" ] || kill -9 "$exporter_pid" 2>/dev/null
    rm -rf "$work" "$MTX_SEGMENT" "$MTX_SEGMENT".*
}
trap finish EXIT

closed() { # closed LETTERS COMMAND...: without standard input (i), output (o), error (e)
    local which=$1
    shift
    case $which in *i*) exec 0<&- ;; esac
    case $which in *o*) exec 1>&- ;; esac
    case $which in *e*) exec 2>&- ;; esac
    exec "$@"
}
dummies() { # dummies PID: its descriptors 0 to 2 are none of its files
    local fd
    for fd in 0 1 2; do
        case $(readlink "/proc/$1/fd/$fd") in
        /dev/null | "$work"/std*) ;;
        *) ls -l "/proc/$1/fd" && return 1 ;;
        esac
    done
}
said_nothing_in() { ! grep -qaE 'info |warn |error |mtx-exporter:|mtxctl:' "$@"; }

cat >"$work/c.yml" <<END
interval: 1s
flush_timeout: 100ms
http: 127.0.0.1:0
backends:
  - {type: prometheus}
  - {type: file, path: "$work/out.jsonl"}
  - {type: librato, url: "http://127.0.0.1:9", user: x, token: x}
END
"$mtxctl" add orders 7
for which in i o e io ie oe ioe; do
    rm -f "$work/out.jsonl"
    (closed $which "$exporter" -c "$work/c.yml" </dev/null >"$work/std1" 2>"$work/std2") &
    exporter_pid=$!
    check "without $which: it delivers" until_true 10 grep -q orders "$work/out.jsonl"
    check "without $which: no file is descriptor 0 to 2" dummies $exporter_pid
    kill $exporter_pid && wait $exporter_pid
    check "without $which: it ends well" is $? 0
    exporter_pid=
    check "without $which: no text in its files" said_nothing_in "$work/out.jsonl" "$MTX_SEGMENT" "$MTX_SEGMENT".*
    (closed $which "$mtxctl" add orders x) 2>"$work/said2" >"$work/said1"
    (closed $which "$mtxctl" add orders 1) 2>"$work/said2" >"$work/said1"
    check "without $which: mtxctl keeps its text out of the segment" said_nothing_in "$MTX_SEGMENT"
done
check "the segment is sound" "$mtxctl" check
check "and its total exact" is "$("$mtxctl" get orders --json | jq '.readings[0].values[0].value')" 14
check "what cannot be printed is still an error" sh -c '! "$1" get orders >&-' sh "$mtxctl"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
