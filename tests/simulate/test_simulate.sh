#!/bin/bash
# Promises: nothing lost, nothing doubled, in every life of a segment and an exporter; and the same seed is the same world.
#   MTX_CAMPAIGN=long   100,000 worlds in place of 500
#   MTX_SEED=N          begins with that seed; without it each run has new ones
# The story of a world that fails is printed; `simulate --seed N` tells it again.
set -u
simulate=$MTX_BUILD/tests/simulate/simulate top=$(cd "$(dirname "$0")/../.." && pwd)
[ -x "$simulate" ] || { echo "this build has no simulator" && exit 77; }
count=500 twice=30 passed=0 failed=0
[ "${MTX_CAMPAIGN:-}" = long ] && count=100000 twice=1000
from=${MTX_SEED:-$(($(date +%s) * 1000))}

verdict() { # verdict WORDS STATUS
    if [ "$2" = 0 ]; then passed=$((passed + 1)); else echo "$1" && failed=$((failed + 1)); fi
}

# worlds ARGUMENT...: simulates worlds and adds up how many passed.
worlds() {
    local out
    out=$("$simulate" "$@" --jobs "$(nproc)")
    printf '%s\n' "$out" | sed '$d'
    [[ $(tail -n 1 <<<"$out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]
    verdict "the simulator printed: $out" $?
    passed=$((passed + ${BASH_REMATCH[1]:-0})) failed=$((failed + ${BASH_REMATCH[2]:-0}))
}

# The simulator listens for what the exporter says: these lines have to be the exporter's own.
while read -r line; do
    grep -rqF "$line" "$top/exporters"
    verdict "the simulator listens for a line that no exporter says: $line" $?
done < <(sed -n 's/^static const char said_[a-z]*\[\] = "\(.*\)";$/\1/p' "$top/tests/simulate/world.c")

# Some stories twice, in one process and in two, from beginning to end.
first=$(MTX_QUIET=1 "$simulate" --seeds 1 10 --verbose | sha256sum)
again=$(MTX_QUIET=1 "$simulate" --seeds 1 10 --verbose | sha256sum)
[ "$first" = "$again" ]
verdict "the same seeds gave other worlds" $?

echo "seeds $from to $((from + count - 1)), $twice of them twice"
worlds --seeds "$from" $twice --twice
worlds --seeds $((from + twice)) $((count - twice))
echo "$passed passed, $failed failed"
[ $failed = 0 ]
