#!/bin/bash
# Promise: the README's program compiles unchanged, with warnings as errors, and counts what the README says.
set -u
source=${MTX_SOURCE:?} build=${MTX_BUILD:?}
work=$(mktemp -d) || exit 1
export MTX_SEGMENT=/dev/shm/mtx-readme-$$.seg
trap 'rm -rf "$work" "$MTX_SEGMENT"' EXIT
fail() { echo "FAIL $*" && echo "0 passed, 1 failed" && exit 1; }

awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' "$source/README.md" >"$work/orders.c"
lines=$(grep -c . "$work/orders.c")
[ "$lines" -ge 10 ] && [ "$lines" -le 30 ] || fail "README.md: expected one program of 10 to 30 lines, found $lines"
# shellcheck disable=SC2086
"${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -Werror ${MTX_SANITIZE:+-fsanitize=$MTX_SANITIZE} "$work/orders.c" \
    -o "$work/orders" -I "$source/registry/include" -I "$source/shm/include" \
    -L "$build/registry" -lmtx -Wl,-rpath,"$build/registry" || fail "it does not compile"
"$work/orders" || fail "it ends with $?"
got() { "$build/tools/mtxctl" get --value --attributes count "$@"; }
[ "$(got orders)" = 4000 ] || fail "orders: expected 4000, got $(got orders)"
[ "$(got order.time)" = 4000 ] || fail "order.time: expected a count of 4000, got $(got order.time)"
echo "3 passed, 0 failed"
