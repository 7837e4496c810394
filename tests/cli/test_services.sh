#!/bin/bash
# Promises: the commands for services explain each of their calls and its fields, take options and words in any order, and
# say what was meant when a word is wrong. What the calls do is in tests/backends.
set -u
. "$(dirname "$0")/lib.sh"
export LIBRATO_TOKEN=x ANODOT_TOKEN=x ANODOT_ACCESS_KEY=x APPTUIT_API_TOKEN=x WAVEFRONT_TOKEN=x

for name in librato anodot apptuit wavefront chouette; do
    expect 0 mtxctl "$name" --help
    out "^mtxctl $name - "
    out "^Usage: mtxctl $name "
    out '^Calls \(--help after a call lists its fields\):'
    out '^Options:'
    out '^  -n, --dry-run '
    out '^Exit status:'
    out '^Examples:'
    is "$name: no line is wider than 80 characters" "" "$(grep -E '^.{81,}$' "$work/out" | grep -v '^  mtxctl')"
    # Each call of the list has a help of its own, within 80 columns.
    calls=$(sed -nE '/^Calls/,/^$/s/^  ([a-z][a-z-]*( [a-z-]+)?)( [A-Z[].*| ?\.\.\.| +|$).*/\1/p' "$work/out" | sed -E 's/ +$//')
    [ "$(wc -l <<<"$calls")" -ge 3 ]
    is "$name: it lists calls" 0 $?
    while read -r call; do
        words=$call
        expect 0 mtxctl "$name" $words --help
        out "^mtxctl $name "
        is "$name $call: no line is wider than 80 characters" "" "$(grep -E '^.{81,}$' "$work/out" | grep -v '^  mtxctl')"
    done <<<"$calls"
    expect 0 mtxctl help "$name"
    out "^mtxctl $name - "
    expect 2 mtxctl "$name"
    err "^mtxctl $name: it takes CALL"
    expect 2 mtxctl "$name" no-such-call
    err 'there is no "no-such-call"; there are: '
    expect 2 mtxctl "$name" --no-such-option
    err "^mtxctl $name: there is no option --no-such-option .*see mtxctl $name --help"
    expect 2 mtxctl "$name" --dry-rum
    err 'did you mean --dry-run\?'
done

expect 0 mtxctl librato annotations post --help
out '^mtxctl librato annotations post STREAM \[FIELD=VALUE\.\.\.\]$'
out '^    title=TEXT .*\(required\)$'
expect 0 mtxctl librato annotations --help
out '^mtxctl librato annotations delete STREAM$'
no_out '^mtxctl librato alerts '

# Options anywhere; nothing is sent.
expect 0 mtxctl librato -n annotations post s --set url=http://127.0.0.1:9 title=x --json
json '.dry_run[0].method == "POST" and .dry_run[0].path == "/v1/annotations/s"'
expect 0 mtxctl librato --dry-run --show-secrets annotations post s title=x
out '^Authorization: Basic eDo=$'
expect 2 mtxctl librato annotations post s title=x --set token=x
err 'give token_file=FILE'
expect 2 mtxctl librato annotations post s title=x --backend one
err 'give the configuration with --config'
expect 2 mtxctl librato services list --config "$work/none.yml"
err 'none.yml'

# A full disk behind standard output is reported.
ran='mtxctl apptuit encode a >/dev/full'
mtxctl apptuit encode a >/dev/full 2>"$work/err"
is "exit status" 5 $?
finish
