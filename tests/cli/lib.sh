# What the pages of tests/cli share. Sourced by bash with set -u; $1 of the page may be the directory of mtxctl.
#
#   expect CODE COMMAND...   run it; its output is then in $work/out and $work/err
#   out REGEX   no_out REGEX   err REGEX   no_err REGEX     what it must or must not have said
#   json FILTER              jq on its standard output must say true
#   is NAME WANT GOT
source=${MTX_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
BIN=${1:-${MTX_BUILD:?give the directory of mtxctl as the first argument}/tools}
BIN=$(cd "$BIN" && pwd) || exit 2
build=${MTX_BUILD:-$(dirname "$BIN")}
[ -x "$BIN/mtxctl" ] || { echo "there is no mtxctl in $BIN" >&2 && exit 2; }
export PATH=$BIN:$build/exporters:$PATH LC_ALL=C.UTF-8
unset MTX_EXPORTER_CONFIG MTX_QUIET
work=$(mktemp -d) || exit 2
segment=/dev/shm/mtx-cli-$$.seg
export MTX_SEGMENT=$segment
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" && wait "$pid"; done 2>/dev/null
    rm -rf "$work" "$segment" "$segment".*
}
trap clean_up EXIT
passed=0 failed=0 ran=''

# verdict WHAT WANT-TEXT GOT-TEXT RESULT: counts; on failure says what was expected and what came.
verdict() {
    if [ "$4" = 0 ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAIL after: %s\n  %s\n  expected: %s\n  got:      %s\n' "$ran" "$1" "$2" "$3"
}
compare() { # compare WHAT WANT GOT [MORE]
    local result=0
    [ "$2" = "$3" ] || result=1
    verdict "$1" "$2" "$3${4:-}" $result
}
is() { compare "$1" "$2" "$3"; }
expect() {
    local want=$1 got
    shift
    ran="$*"
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    compare "exit status" "$want" "$got" "; it said: $(head -c 600 "$work/err")"
}
matches() { # matches FILE REGEX
    local result=0
    grep -qE -e "$2" "$work/$1" || result=1
    verdict "$1" "a line like /$2/" "$(head -c 900 "$work/$1")" $result
}
lacks() { # lacks FILE REGEX
    local result=0
    ! grep -qE -e "$2" "$work/$1" || result=1
    verdict "$1" "no line like /$2/" "$(grep -m1 -E -e "$2" "$work/$1")" $result
}
out() { matches out "$1"; }
err() { matches err "$1"; }
no_out() { lacks out "$1"; }
no_err() { lacks err "$1"; }
json() {
    local got
    got=$(jq "$1" "$work/out" 2>&1)
    compare "jq $1" true "$got" " of $(head -c 900 "$work/out")"
}
# wait_until SECONDS COMMAND...: waits until it succeeds; 1 if it never does. An idle machine needs at most so many seconds;
# a busy one gets a minute, because no test judges how soon something happens.
wait_until() {
    local end=$((SECONDS + ($1 > 60 ? $1 : 60)))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        read -r -t 0.02 <> <(:) || : # its status would be ours
    done
}
# A program that records; see job.c.
make_job() {
    local lib
    lib=$(dirname "$(find "$build/registry" "$BIN" -name libmtx.so 2>/dev/null | head -n 1)")
    ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror ${MTX_SANITIZE:+-fsanitize=$MTX_SANITIZE} \
        -I"$source/registry/include" -I"$source/shm/include" "$source/tests/cli/job.c" -L"$lib" -lmtx \
        -Wl,-rpath,"$lib" -o "$work/job" || { echo "cannot build job.c" && exit 1; }
}
# What every command does alike. common NAME ARGUMENTS-THAT-MAKE-SENSE...
common() {
    local name=$1
    shift
    expect 0 mtxctl "$name" --help
    out "^mtxctl $name - "
    out "^Usage: mtxctl $name "
    out '^Options:'
    out '^  -h, --help '
    out '^Exit status:'
    out '^Examples:'
    is "no line is wider than 80 characters" "" "$(grep -E '^.{81,}$' "$work/out" | grep -v '^  mtxctl')"
    expect 0 mtxctl help "$name"
    out "^mtxctl $name - "
    expect 2 mtxctl "$name" --no-such-option
    err "^mtxctl $name: there is no option --no-such-option .*see mtxctl $name --help"
    expect 2 mtxctl "$name" --segmant x "$@"
    err 'did you mean --segment\?'
    expect 2 mtxctl "$name" --segment
    err '^mtxctl .*: --segment needs its argument, PATH'
}
# What every command does that reads a segment.
common_reader() {
    local name=$1
    common "$@"
    shift
    expect 3 mtxctl "$name" --segment "$work/none.seg" "$@"
    err "^mtxctl $name: there is no segment at $work/none.seg"
    is "one line of it" 1 "$(wc -l <"$work/err")"
    no_out .
    echo "this is text" >"$work/text.seg"
    expect 3 mtxctl "$name" --segment "$work/text.seg" "$@"
    err "^mtxctl $name: .*text.seg"
    ln -sf "$work/text.seg" "$work/link.seg"
    expect 3 mtxctl "$name" -s "$work/link.seg" "$@"
    err 'symbolic link'
}
finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
