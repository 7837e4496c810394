#!/bin/bash
# The models of the lock-free parts: Spin explores all their interleavings, deaths included.
#   tests/models/run.sh [--long] [MODEL...]      index storage reservoir slot epoch fold ring cells
# Each model is explored with the sizes of its "short:" lines (--long, or MTX_CAMPAIGN=long: of its "long:"
# lines, too), for violated assertions and for processes that wait; with those of its "progress:" line, for
# endless loops. Each "bug" of its head is then seeded and must be found. Prints states, seconds and what was found.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
campaign=${MTX_CAMPAIGN:-short} models=()
for a in "$@"; do
    case $a in
    --long) campaign=long ;;
    -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 0 ;;
    *) models+=("$a") ;;
    esac
done
[ ${#models[@]} -gt 0 ] || models=(index storage reservoir slot epoch fold ring cells)
passed=0 failed=0
pass() { passed=$((passed + 1)) && printf '%s\n' "$*"; }
fail() { failed=$((failed + 1)) && printf 'FAILED: %s\n' "$*"; }
finish() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
    exit
}

for tool in spin gcc; do
    command -v $tool >/dev/null && continue
    fail "the models need $tool: apt-get install $tool (tools/test installs it)"
    finish
done
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
memory=$([ "$campaign" = long ] && echo 6000 || echo 2000) # MiB for the states of one exploration

# explore MODEL BUG CHECK SIZES: runs Spin in a folder of its own, and leaves its words in $work/out.
explore() {
    local model=$1 bug=$2 check=$3 sizes=() size flags=() run=()
    # shellcheck disable=SC2086
    for size in $4; do sizes+=("-D$size"); done
    if [ "$check" = progress ]; then flags=(-DNP) run=(-l); else flags=(-DSAFETY); fi
    [ "$campaign" = long ] && flags+=(-DCOLLAPSE)
    [ "$bug" = 0 ] && flags+=(-O1)
    rm -rf "$work/run" && mkdir "$work/run" && cd "$work/run" || return 1
    spin "-DBUG=$bug" "${sizes[@]}" -a "$here/$model.pml" >"$work/out" 2>&1 &&
        gcc -w "${flags[@]}" -DMEMLIM="$memory" -o pan pan.c >>"$work/out" 2>&1 &&
        ./pan "${run[@]}" -m1000000 >>"$work/out" 2>&1
}
value() { sed -nE "s/(^|.*[^0-9])$1.*/\\2/p" "$work/out" | tail -n 1; }

# clean MODEL CHECK SIZES: the whole state space, and no error in it.
clean() {
    explore "$1" 0 "$2" "$3"
    local states errors seconds
    states=$(value '([0-9]+) states, stored') errors=$(value 'errors: ([0-9]+)')
    seconds=$(value 'elapsed time ([0-9.e+-]+) seconds')
    if [ "$errors" = 0 ] && ! grep -qE 'MEMLIM|max search depth too small|out of memory' "$work/out"; then
        pass "$1 $3: $2: $states states, errors: 0 (${seconds:-0} s)"
    else
        fail "$1 $3: $2: ${states:-no} states, errors: ${errors:-?}"
        grep -E '^pan: |^pan:1|rror|reached' "$work/out" | head -n 5
    fi
}

# seeded MODEL BUG CHECK SIZES WHAT: the error must be found, and by an assertion, a wait or a loop.
seeded() {
    explore "$1" "$2" "$3" "$4"
    local how
    how=$(value 'pan:1: (assertion violated|invalid end state|non-progress cycle)')
    if [ -n "$how" ]; then
        pass "$1 bug $2: found ($how): $5"
    else
        fail "$1 bug $2 was not found: $5"
        tail -n 5 "$work/out"
    fi
}

if found=$(bash "$here/sources.sh"); then pass "$found"; else fail "$found"; fi
for model in "${models[@]}"; do
    [ -e "$here/$model.pml" ] || { fail "there is no model named $model" && continue; }
    first='' bugs=0
    while read -r sizes; do
        clean "$model" safety "$sizes"
        first=${first:-$sizes}
    done < <(sed -nE 's/^ \* short: (.*)/\1/p' "$here/$model.pml")
    while read -r sizes; do
        [ "$campaign" = long ] && clean "$model" safety "$sizes"
    done < <(sed -nE 's/^ \* long: (.*)/\1/p' "$here/$model.pml")
    endless=$(sed -nE 's/^ \* progress: (.*)/\1/p' "$here/$model.pml")
    clean "$model" progress "$endless"
    while IFS='|' read -r number how what; do
        bugs=$((bugs + 1)) check=safety sizes=$first
        if [ "$how" = progress ]; then check=progress sizes=$endless; elif [ -n "$how" ]; then sizes=$how; fi
        seeded "$model" "$number" "$check" "$sizes" "$what"
    done < <(sed -nE 's/^ \* bug ([0-9]+)( \(([^)]*)\))?: (.*)/\1|\3|\4/p' "$here/$model.pml")
    [ -n "$first" ] && [ $bugs -gt 0 ] || fail "$model.pml names no sizes or no bugs in its head"
done
finish
