#!/bin/bash
# Promises: mtxctl check reports a damage with its place, and mtxctl dump still has every series except the one that was
# hit. tests/multi/test_damage.c tries every field with the library; here some of them go through the programs.
set -u
. "$(dirname "$0")/lib.sh"
damage=$build/tests/multi/test_damage
[ -x "$damage" ] || { echo "there is no $damage" && exit 77; }
expect 0 "$damage" make "$segment"
expect 0 mtxctl check
mtxctl dump --json | jq -r '.readings[].name' | sort -u >"$work/all"
is "series in the dump" yes "$([ "$(wc -l <"$work/all")" -gt 1500 ] && echo yes)"
"$damage" list "$segment" >"$work/list" || exit 1

while read -r number low high what; do
    victims=${what%%$'\t'*}
    cp --sparse=always "$segment" "$work/bad.seg" && "$damage" apply "$work/bad.seg" "$number" || exit 1
    expect 1 mtxctl check --json "$work/bad.seg"
    ran="damage $number (${what#*$'\t'})"
    json "any(.damages[]; .offset >= $low and .offset <= $high)"
    expect 0 mtxctl dump --json --segment "$work/bad.seg"
    lost=''
    for name in $(jq -r '.readings[].name' "$work/out" | sort -u | comm -23 "$work/all" -); do
        [[ " $victims " = *" $name "* ]] || lost+=" $name"
    done
    is "nothing but $victims is lost" '' "${lost:0:200}"
done < <(grep -vP '(refused|sound|level1)\t' "$work/list" | awk 'NR % 24 == 1')
finish
