#!/bin/bash
# Promises: ls names every series once, as the command line takes it; patterns, tags, kinds; JSON; exit codes.
set -u
. "$(dirname "$0")/lib.sh"
common_reader ls

mtxctl inc http.requests status=200
mtxctl inc http.requests status=404 'route=/a b'
mtxctl inc http.errors empty=
mtxctl mark http.bytes 5
mtxctl update size 1
mtxctl gauge temp 1
mtxctl time took -- true

expect 0 mtxctl ls
is "lines" 7 "$(wc -l <"$work/out")"
out '^counter    -        http\.requests status=200$'
out "^counter    -        http\\.requests route='/a b' status=404\$"
out '^counter    -        http\.errors empty=$'
out '^timer      seconds  took$'
out '^gauge      -        temp$'
is "sorted by name" "$(sed -E 's/^[a-z]+ +[^ ]+ +//' "$work/out" | LC_ALL=C sort)" "$(sed -E 's/^[a-z]+ +[^ ]+ +//' "$work/out")"

# What is printed can be pasted.
eval "set -- $(mtxctl ls --kind counter 'http.requests' status=404 | sed -E 's/^[a-z]+ +[^ ]+ +//')"
expect 0 mtxctl ls "$@"
is "lines" 1 "$(wc -l <"$work/out")"

expect 0 mtxctl ls 'http.r*'
is "lines" 2 "$(wc -l <"$work/out")"
expect 0 mtxctl ls 'http.r*' temp
is "lines: either pattern" 3 "$(wc -l <"$work/out")"
expect 0 mtxctl ls status='4*'
is "lines: by tag" 1 "$(wc -l <"$work/out")"
expect 0 mtxctl ls 'http.*' status='4*' route='/a*'
is "lines: all tags" 1 "$(wc -l <"$work/out")"
expect 0 mtxctl ls empty=
out 'http\.errors empty='
expect 0 mtxctl ls --names 'http.*'
is "each name once" "http.bytes http.errors http.requests" "$(paste -sd' ' "$work/out")"
expect 0 mtxctl ls --kind meter
is "lines: by kind" 1 "$(wc -l <"$work/out")"

expect 1 mtxctl ls status=500
err 'none of the 7 series matches'
expect 1 mtxctl ls http.request
err 'no series matches; did you mean http.requests\?'
expect 1 mtxctl ls 'http.requests' route=
expect 2 mtxctl ls 'http.[ab'
err 'the pattern "http.\[ab" has a \[ without its \]'
expect 2 mtxctl ls =x
err 'has no key before the ='

expect 0 mtxctl ls --json
json '.series | length == 7'
json '.series[] | select(.name == "http.requests" and .tags.route == "/a b") | .kind == "counter" and .tags.status == "404"'
json '.incarnation | test("^[0-9a-f]{16}$")'
json '.series[] | select(.name == "took") | .unit == "seconds"'
expect 0 mtxctl ls --json --names 'http.*'
json '.names == ["http.bytes", "http.errors", "http.requests"]'
expect 1 mtxctl ls --json nothing
json '.series == []'

# A saved snapshot instead.
mtxctl dump --msgpack "$work/saved.mtx"
expect 0 mtxctl ls --from "$work/saved.mtx" -s "$work/none.seg"
is "lines" 7 "$(wc -l <"$work/out")"
expect 3 mtxctl ls --from "$work/none.mtx"
err "cannot open $work/none.mtx: No such file"
expect 3 mtxctl ls --from "$MTX_SEGMENT"
err 'is not a snapshot saved by mtxctl dump --msgpack'

# An empty segment.
rm "$MTX_SEGMENT"
mtxctl gauge only none
expect 0 mtxctl ls
out '^gauge +- +only$'
expect 2 mtxctl ls --kind countr
err 'there is no kind "countr"; did you mean counter\?'
expect 2 mtxctl ls --json --kind zzzzzz
err 'there is no kind "zzzzzz"'

# The hint names segments with any name, such as the documentation's.
cp "$MTX_SEGMENT" "$work/shop.seg"
expect 3 mtxctl ls --segment "$work/stop.seg"
err "other segments: .*$work/shop.seg"
finish
