# checks.sh - what the scripts of tests/integration and tests/package share. Sourced by bash with set -u; $work is a
# directory of the script's own. A script ends with: echo "$passed passed, $failed failed".

passed=0 failed=0

# check NAME COMMAND...: counts whether the command succeeds, and prints what it said if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $name" && head -c 3000 "$work/said"
    fi
}

# until_true SECONDS COMMAND...: waits for an event: tries the command again and again. An idle machine needs at most so
# many seconds; a busy one gets a minute, because no test judges how soon something happens.
until_true() {
    local end=$((SECONDS + ($1 > 60 ? $1 : 60)))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -le $end ] || return 1
        sleep 0.02
    done
}

is() { [ "$1" = "$2" ] || { echo "expected $2, got $1" && return 1; }; }                        # is GOT WANT
says() { grep -qF -- "$1" "$2" || { echo "expected \"$1\" in:" && cat "$2" && return 1; }; }    # says TEXT FILE
says_not() { ! grep -qF -- "$1" "$2" || { echo "unexpected \"$1\" in:" && cat "$2" && return 1; }; }
