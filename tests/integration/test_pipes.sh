#!/bin/bash
# Promises: a FIFO that nobody reads or writes stops neither a start, nor a reload, nor an end; its reader may come, go
# and come back. A limit on the size of files is an error like a full disk's, for exporter and mtxctl; the limit on CPU
# time ends the exporter in order; a standard error that takes nothing more stops nothing.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter mtxctl=$MTX_BUILD/tools/mtxctl
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-pipes-test-$$.seg
. "${MTX_SOURCE:?}/tests/checks.sh"
pids=()
finish() {
    [ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}" 2>/dev/null
    rm -rf "$work" "$MTX_SEGMENT" "$MTX_SEGMENT".*
}
trap finish EXIT

configure() { # configure BACKENDS: as flow lists
    cat >"$work/c.yml" <<END
interval: 200ms
flush_timeout: 500ms
http: 127.0.0.1:0
backends:
  - {type: prometheus}
$1
END
}
begin() { # begin [ULIMIT]: starts the exporter
    : >"$work/err"
    (
        [ -z "${1-}" ] || ulimit -f "$1"
        exec "$exporter" -c "$work/c.yml" >/dev/null 2>>"$work/err"
    ) &
    pid=$!
    pids+=($pid)
}
gone() { ! kill -0 "$pid" 2>/dev/null || [ "$(ps -o stat= -p "$pid" | cut -c 1)" = Z ]; }
ends() { # ends SECONDS: after SIGTERM, with 0
    kill -TERM "$pid"
    until_true "$1" gone || return 1
    wait "$pid"
}
healthy() { curl -sS -m 60 -f "http://$(sed -nE 's/.*serving address=//p' "$work/err" | tail -n 1)/-/healthy"; }
reads() { # reads FILE: the FIFO, until a line about orders
    timeout 60 grep -m 1 '"orders".*}$' <"$work/fifo" >"$1"
}

# --- A FIFO as a backend's file ------------------------------------------------------------------------------------
"$mtxctl" add orders 7
mkfifo "$work/fifo"
configure "  - {type: file, path: '$work/fifo', retry_least: 10ms, retry_most: 50ms}"
begin
check "it starts without a reader" until_true 5 says "serving address=" "$work/err"
check "and is healthy" until_true 5 healthy
kill -HUP "$pid"
check "it reads its configuration again" until_true 5 says "configuration read again" "$work/err"
check "it says what is missing" until_true 5 says "no program reads the FIFO" "$work/err"
check "a reader gets lines" reads "$work/first"
check "and so does one that comes back" reads "$work/second"
check "and a third" reads "$work/third"
check "the first line is whole" grep -q '^{.*}$' "$work/second"
check "it ends without a reader" ends 5
begin
check "it starts again without one" until_true 5 says "serving address=" "$work/err"
check "and ends" ends 5

# --- A FIFO as a file with a secret, and as the configuration --------------------------------------------------------
mkfifo "$work/token"
chmod 600 "$work/token"
configure "  - {type: file, path: '$work/out'}"
begin
check "it runs" until_true 5 says "following" "$work/err"
cp "$work/c.yml" "$work/old.yml"
sed -i '1s/.*/interval: 1s/' "$work/c.yml"
echo "  - {type: anodot20, url: 'http://127.0.0.1:9', token_file: '$work/token'}" >>"$work/c.yml"
kill -HUP "$pid"
check "a secret that nobody writes is a mistake" until_true 10 says "nothing is written to it" "$work/err"
check "which is rejected" until_true 5 says "the old one stays in effect" "$work/err"
check "it is healthy" healthy
check "and ends" ends 5
begin
check "it does not hang at its start either" until_true 10 gone
check "but says why" says "nothing is written to it" "$work/err"
(sleep 0.3 && echo "open sesame" >"$work/token") &
check "a secret that is written is read" timeout 60 "$exporter" -c "$work/c.yml" --check
check "a configuration from a pipe" bash -c '"$1" -c <(cat "$2") --check' sh "$exporter" "$work/old.yml"

# --- Limits ----------------------------------------------------------------------------------------------------------
configure "  - {type: file, path: '$work/limited'}"
begin 40
check "with a limit on files it runs" until_true 10 says "cannot deliver" "$work/err"
check "and is healthy" healthy
check "the log is in memory" says "the log goes on in memory" "$work/err"
check "and it ends well" ends 5
begin
check "without the limit" until_true 5 says "following" "$work/err"
kill -XCPU "$pid"
check "at the limit on CPU time it ends" until_true 5 gone
wait "$pid"
check "in order" is $? 0
check "and says why" says "the limit on CPU time is reached" "$work/err"
# A program with the thread sanitizer writes a file of its own before main() can ignore the signal.
if [[ ${MTX_SANITIZE-} != *thread* ]]; then
    limited() { # limited COMMAND...: fails with an error, not by a signal
        (ulimit -f 0 && "$@" >"$work/limited.out") 2>"$work/said2"
        local code=$?
        [ $code -gt 0 ] && [ $code -lt 128 ]
    }
    check "mtxctl get into a file of no size" limited "$mtxctl" get orders
    check "mtxctl dump into a file of no size" limited "$mtxctl" dump
    child() { (ulimit -f 0 && "$mtxctl" time x -- sh -c 'echo a >"$1"' sh "$work/child") 2>/dev/null; }
    child
    check "a command that mtxctl runs has the default again" is $? 153
fi

# --- Standard error ---------------------------------------------------------------------------------------------------
mkfifo "$work/full"
sleep 600 <"$work/full" &
pids+=($!)
exec 8>"$work/full"
dd if=/dev/zero of=/proc/self/fd/8 bs=4096 count=1000 oflag=nonblock 2>/dev/null
(exec "$exporter" -c "$work/c.yml" >/dev/null 2>&8) &
pid=$!
pids+=($pid)
rm -f "$work/limited"
check "with a full standard error it delivers" until_true 10 test -s "$work/limited"
check "and ends" ends 10

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
