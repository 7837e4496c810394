#!/bin/bash
# Promises: inc adds exactly one, from any number of processes; it makes what is missing and refuses what clashes.
set -u
. "$(dirname "$0")/lib.sh"
common inc x

expect 0 mtxctl inc deploys service=shop
no_out .
no_err .
expect 0 mtxctl inc deploys service=shop
is "counted" 2 "$(mtxctl get -v deploys)"
is "mode of the segment that it made" 600 "$(stat -c %a "$MTX_SEGMENT")"
expect 0 mtxctl inc deploys empty= service=shop
expect 0 mtxctl inc deploys service=shop empty=
is "tags in any order are the same series" 2 "$(mtxctl get -v deploys empty=)"

for process in 1 2 3 4; do
    (for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do mtxctl inc many; done) &
done
wait
is "100 processes, 4 at a time" 100 "$(mtxctl get -v many)"

expect 0 mtxctl inc --json deploys service=web
json '.name == "deploys" and .tags == {service: "web"} and .recorded'
expect 2 mtxctl inc
err 'it takes NAME \[KEY=VALUE\.\.\.\]'
expect 2 mtxctl inc service=shop
err 'the name comes first; "service=shop" looks like a tag'
expect 2 mtxctl inc deploys shop
err '"shop" is not a tag: tags are key=value'
expect 2 mtxctl inc deploys =shop
err '"=shop" is not a tag'

mtxctl gauge level 1
expect 4 mtxctl inc level
err '^mtxctl inc: .*level'
expect 4 mtxctl inc --json level
json '.recorded == false and (.reason | contains("level"))'
expect 4 mtxctl inc "$(printf 'n%.0s' $(seq 300))"
err '^mtxctl inc: '
expect 4 mtxctl inc $'a\nb'
expect 4 mtxctl inc twice k=1 k=2
err '^mtxctl inc: .*k'
is "nothing of it became a series" "deploys level many" "$(mtxctl ls --names | paste -sd' ')"

expect 3 mtxctl inc --segment /nowhere/mtx.seg x
err '/nowhere/mtx.seg'
echo text >"$work/text.seg"
expect 3 mtxctl inc --segment "$work/text.seg" x
err 'text.seg'
is "the file is as it was" text "$(cat "$work/text.seg")"
finish
