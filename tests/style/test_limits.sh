#!/bin/bash
# Promises: every test has a limit, so that none can hang the suite; and a long campaign's limits are hours, although
# ctest prefers the limit that a test was configured with to the one it is given.
set -u
[ -e "${MTX_BUILD:?}/CTestTestfile.cmake" ] || { echo "$MTX_BUILD is not a build tree" && exit 1; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
least=60 most=1800
[ -n "${MTX_SANITIZE:-}" ] && most=9000
[ "${MTX_CAMPAIGN:-short}" = long ] && least=7200 most=72000

# From a directory of its own: ctest would begin the build's log anew, which is being written by our own ctest.
echo "subdirs(\"$MTX_BUILD\")" >"$work/CTestTestfile.cmake"
out=$(ctest --test-dir "$work" --show-only=json-v1 | jq -r --argjson least $least --argjson most $most '
    def limit: [.properties[] | select(.name == "TIMEOUT") | .value][0];
    [.tests[] | select(limit == null or limit < $least or limit > $most)] as $wrong
    | ($wrong[] | "FAIL \(.name) may take \(limit) s; expected \($least) to \($most)"),
      "\((.tests | length) - ($wrong | length)) passed, \($wrong | length) failed"')
echo "$out"
[[ $(tail -n 1 <<<"$out") =~ ^[1-9][0-9]*\ passed,\ 0\ failed$ ]]
