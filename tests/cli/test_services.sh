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

# Every command of docs/commands is accepted: it ends as one whose service cannot be reached, or better, but not with 2.
mtxctl inc http.requests
cd "$work" || exit 2
now=$(date +%s) uuid=7b3bf470-9456-11e8-9eb6-529269fb1459
echo 'spaces: [{name: Shop}]' >shop.yml
echo '"a" 1 source=h' >lines.txt
echo "\"x\" source=h traceId=$uuid spanId=$uuid ${now}000 5" >spans.txt
echo x >routers.csv
lines=0
while read -r line; do
    set -- --set url=http://127.0.0.1:9
    case $line in
    *' chouette '*) set -- --set host=127.0.0.1 --set port=9 ;;
    *'source-'*) set -- "$@" --set mode=proxy ;;
    esac
    ran=$line
    eval "${line//UUID/$uuid} $(printf ' %q' "$@")" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    result=0
    [[ $got = [013] ]] || result=1
    verdict "its exit status" "0, 1 or 3" "$got: $(head -c 300 "$work/err")" $result
    lines=$((lines + 1))
done < <(sed -e ':a' -e '/\\$/N; s/\\\n *//; ta' "$source"/docs/commands/*.md | sed -nE 's/^    (mtxctl (librato|anodot|apptuit|wavefront|chouette) .*)/\1/p' | sed -E 's/ > shop.yml//')
[ $lines -ge 50 ]
is "the pages have commands: $lines" 0 $?

# A full disk behind standard output is reported.
ran='mtxctl apptuit encode a >/dev/full'
mtxctl apptuit encode a >/dev/full 2>"$work/err"
is "exit status" 5 $?
finish
