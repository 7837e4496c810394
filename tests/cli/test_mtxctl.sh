#!/bin/bash
# Promises: mtxctl explains itself, suggests the nearest word for a wrong one, and says where segments are.
set -u
. "$(dirname "$0")/lib.sh"

expect 0 mtxctl --help
out '^Usage: mtxctl COMMAND'
for command in ls get watch dump diff info check status explain inc add gauge mark update unique time send run librato chouette wavefront anodot apptuit; do
    out "^  $command +[a-z]"
done
out '^Exit status:'
expect 0 mtxctl help
out '^Usage: mtxctl COMMAND'
expect 0 mtxctl --version
out '^mtxctl [0-9]+\.[0-9]+\.[0-9]+$'
expect 2 mtxctl
err '^Usage: mtxctl COMMAND'
no_out .
expect 2 mtxctl dmup
err 'there is no command "dmup"; did you mean dump\? \(see mtxctl --help\)'
expect 2 mtxctl help statu
err 'did you mean status\?'
expect 2 mtxctl --segment "$MTX_SEGMENT" ls
err 'there is no option "--segment" \(options follow the command'

# Options may be anywhere before --, in long and short form, alone or with =.
mtxctl inc a.b k=v
expect 0 mtxctl ls a.b --json
json '.series | length == 1'
expect 0 mtxctl ls -js "$MTX_SEGMENT"
json '.series[0].name == "a.b"'
expect 0 mtxctl ls --segment="$MTX_SEGMENT" -- 'a*'
out '^counter +- +a.b k=v$'
expect 2 mtxctl ls -Z
err 'there is no option -Z'
expect 2 mtxctl ls --json=1
err '\-\-json takes no argument'
expect 2 mtxctl watch --count many
err '\-\-count takes an integer from 1 to 1000000000, not "many"'
expect 2 mtxctl watch --interval 5
err '\-\-interval takes a duration such as 500ms, 2s, 1m, from 10ms to 24h, not "5"'

# --segment wins over MTX_SEGMENT.
expect 3 mtxctl ls --segment "$work/none.seg"
MTX_SEGMENT=$work/none.seg expect 0 mtxctl ls --segment "$MTX_SEGMENT"

# A missing segment: one sentence, which names the others in /dev/shm and beside it.
cp "$MTX_SEGMENT" "$work/mtx-other.seg"
expect 3 mtxctl ls --segment "$work/mtx-none.seg"
err "there is no segment at $work/mtx-none.seg; other segments: .*$MTX_SEGMENT.* \(choose one with --segment or MTX_SEGMENT\)"
err "$work/mtx-other.seg"
no_err "mtx-none.seg,"
is "one line of it" 1 "$(wc -l <"$work/err")"

# What it says controls no terminal, whoever chose the words.
bad=$'x\e[31m\x01'
cp "$MTX_SEGMENT" "$work/mtx-$bad.seg"
for words in "ls --segment $work/mtx-none.seg" "ls --segment $work/$bad" "$bad" "ls --$bad" "explain -c $work/$bad x" "dump $bad"; do
    # shellcheck disable=SC2086
    ran="mtxctl $words" && mtxctl $words >"$work/out" 2>"$work/err"
    err 'x.?\[31m'
    is "no control character" "" "$(LC_ALL=C grep -h $'[\x01-\x08\x0b-\x1f\x7f]' "$work/err")"
done
rm "$work/mtx-$bad.seg"

# A full disk behind standard output is reported.
ran='mtxctl ls >/dev/full'
mtxctl ls >/dev/full 2>"$work/err"
is "exit status" 5 $?
err 'cannot write the output: No space left on device'
finish
