#!/bin/bash
# Promises: --check fails for files, folders and addresses that cannot be used now, says which, and makes nothing; an
# argument whose value is wrong is a mistake in the arguments.
set -u
exporter=${MTX_BUILD:?}/exporters/mtx-exporter
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-check-test-$$.seg
. "${MTX_SOURCE:?}/tests/checks.sh"
pids=()
finish() {
    [ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}" 2>/dev/null
    rm -rf "$work" "$MTX_SEGMENT" "$MTX_SEGMENT".* /dev/shm/shop-check-test-$$.seg*
}
trap finish EXIT

finds() { # finds STATUS TEXT YAML: what --check says of a configuration
    printf '%s\n' "$3" >"$work/c.yml"
    "$exporter" -c "$work/c.yml" --check >"$work/out" 2>"$work/err"
    local status=$?
    is $status "$1" || return 1
    if [ -n "$2" ]; then says "$2" "$work/err"; else is "$(cat "$work/err")" ""; fi
}
file() { echo "{http: \"off\", backends: [{type: file, path: '$1'}]}"; }

check "a file that can be made" finds 0 "" "$(file "$work/new")"
check "is not made" test ! -e "$work/new"
: >"$work/old"
check "a file that is there" finds 0 "" "$(file "$work/old")"
mkfifo "$work/fifo"
check "a FIFO without a reader" finds 0 "" "$(file "$work/fifo")"
check "a folder that is not there" finds 1 "file: cannot open $work/none/new: No such file" "$(file "$work/none/new")"
check "a folder as a file" finds 1 "file: cannot open $work: Is a directory" "$(file "$work")"
check "a state_dir that is not there" finds 1 "log.state_dir: cannot write in $work/none: No such file" \
    "{http: \"off\", log: {state_dir: '$work/none'}, backends: [{type: console}]}"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$work"
    exporter_as_root=$exporter
    cat >"$work/other" <<END
#!/bin/sh
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$exporter_as_root" "\$@"
END
    chmod 755 "$work/other"
    exporter=$work/other
    check "a file of another user" finds 1 "file: cannot open $work/old: Permission denied" "$(file "$work/old")"
    check "a folder of another user" finds 1 "file: cannot open $work/new: Permission denied" "$(file "$work/new")"
    exporter=$exporter_as_root
fi

python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); s.accept()[0].recv(9999); s.accept()' >"$work/port" &
pids+=($!)
check "another program listens" until_true 10 test -s "$work/port"
address=127.0.0.1:$(cat "$work/port")
check "an address that is taken" finds 1 "cannot listen on $address" "{http: '$address', backends: [{type: prometheus}]}"
printf 'http: 127.0.0.1:0\nbackends: [{type: prometheus}]\n' >"$work/running.yml"
"$exporter" -c "$work/running.yml" >/dev/null 2>"$work/running" &
pids+=($!)
check "an exporter runs" until_true 10 says "serving address=" "$work/running"
address=$(sed -nE 's/.*serving address=//p' "$work/running")
check "the address of an exporter that runs" finds 0 "" "{http: '$address', backends: [{type: prometheus}]}"
check "is noted" says "# $address: an mtx-exporter that is running serves it" "$work/out"

argument() { # argument TEXT ARGUMENT...: exit status 2 with that text
    local text=$1
    shift
    "$exporter" "$@" >"$work/out" 2>"$work/err"
    local status=$?
    is $status 2 && says "$text" "$work/err"
}
check "an interval without a unit" argument '"10" is not a duration with its unit (ms, s, m, h), such as 10s' -i 10
check "with --check" argument 'mtx-exporter: --interval: "10"' -i 10 --check
check "another place for the log" argument 'mtx-exporter: --log: "disk"' --log disk

# --- A segment that is not there -------------------------------------------------------------------------------------
other=/dev/shm/shop-check-test-$$.seg
MTX_SEGMENT=$other "$MTX_BUILD/tools/mtxctl" inc orders
printf 'http: off\nbackends: [{type: console}]\n' >"$work/default.yml"
"$exporter" -c "$work/default.yml" >/dev/null 2>"$work/waiting" &
pids+=($!)
check "it waits" until_true 10 says "there is no segment at $MTX_SEGMENT" "$work/waiting"
check "and names others, whatever they are called" says "$other" "$work/waiting"

# --- What it says controls no terminal, whoever chose the words -----------------------------------------------------
bad=$'x\e[31m\x9b\x01'
clean() { # clean ARGUMENT...: it says something, without control characters
    "$exporter" "$@" >"$work/out" 2>&1
    [ -s "$work/out" ] && ! LC_ALL=C grep -n $'[\x01-\x08\x0b-\x1f\x7f\x9b]' "$work/out"
}
mkdir "$work/segments"
: >"$work/segments/$bad.seg"
printf "segment: '%s/segments/*.seg'\nhttp: off\nbackends: [{type: console}]\n" "$work" >"$work/planted.yml"
printf 'backends: [{type: "f\\e[31m"}]\n' >"$work/type.yml"
check "a file that is not there" clean -c "$work/$bad"
check "a word" clean "$bad"
check "an option" clean "--$bad"
check "a backend" clean backends "$bad"
check "an interval" clean -i "$bad"
check "a type of backend" clean -c "$work/type.yml" --check
check "a segment that somebody planted" clean -c "$work/planted.yml" --check

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
