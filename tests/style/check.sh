#!/bin/bash
# Rules of this code base that a compiler does not keep. Prints what breaks them as file:line: rule.
#   tests/style/check.sh            layers, names, symbol maps, lengths of functions
#   tests/style/check.sh --format   also clang-format, without changing anything
set -u
cd "$(dirname "$0")/../.." || exit 2
passed=0 failed=0

# rule NAME LINES: passes if there are no lines.
rule() {
    if [ -z "$2" ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf '%s\n' "$2" | while IFS= read -r line; do printf '%s: %s\n' "$line" "$1"; done
}

sources() { # sources FOLDER...: the C and C++ files below the folders that exist
    local folders=()
    for folder in "$@"; do [ -d "$folder" ] && folders+=("$folder"); done
    [ ${#folders[@]} -gt 0 ] && find "${folders[@]}" -name '*.[ch]' -o -name '*.cpp'
}
grep_in() { # grep_in PATTERN FOLDER...
    local pattern=$1 files
    shift
    mapfile -t files < <(sources "$@" | sort)
    [ ${#files[@]} -gt 0 ] && grep -nHE "$pattern" "${files[@]}"
}
# The same files with comments and string literals blanked, line numbers kept: for rules about identifiers.
code_in() {
    local pattern=$1 file
    shift
    sources "$@" | sort | while read -r file; do
        perl -0pe 's{(\x27(?:\\.|[^\x27\\])\x27|"(?:\\.|[^"\\])*")|(/\*.*?\*/)|(//[^\n]*)}
                    {my $s = $&; my $n = ($s =~ tr/\n//); defined $1 ? "\"\"" : "\n" x $n}gesx' "$file" |
            grep -v '^ *# *include' -n | grep -E "^[0-9]+:.*$pattern" | sed "s|^|$file:|"
    done
}

kinds=$(sed -nE 's/^KIND\([0-9]+, ([a-z]+)\).*/\1/p' registry/kinds.def | paste -sd'|')
backends=$(sed -nE 's/^BACKEND\(([a-z0-9_]+)\).*/\1/p' exporters/backends.def 2>/dev/null | paste -sd'|')
[ -n "$kinds" ] || { echo "registry/kinds.def: no kinds found"; exit 2; }

# Everything that exporters/ may include with quotes is its own, or leader.h; with <mtx/...>, the public headers.
foreign_includes() {
    local own
    own=" leader.h $(find exporters -type f -printf '%f ')"
    grep_in '^ *# *include *"' exporters | while IFS= read -r line; do
        name=$(sed -E 's/.*"([^"]*\/)?([^"]+)".*/\2/' <<<"$line")
        [[ $own = *" $name "* ]] || printf '%s\n' "$line"
    done
    grep_in '^ *# *include *<mtx/' exporters | grep -vE '<mtx/(metrics|snapshot|error|events_read)\.h>'
}
long_functions() {
    local out
    out=$(python3 tests/style/lengths.py 2>&1) || printf '%s\n' "$out"
}
# Relative links of the documentation that lead nowhere.
dead_links() {
    local page link
    find README.md docs -name '*.md' | sort | while read -r page; do
        grep -oE '\]\([^)#: ]+' "$page" | cut -c3- | while read -r link; do
            [ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
        done
    done
}
without_licence() {
    sources shm registry exporters tools examples tests | sort | while read -r file; do
        head -n 1 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || echo "$file:1"
    done
}
# What the built libraries really export; skipped where they are not built.
stray_exports() {
    local library
    for library in "${MTX_BUILD:-build}"/registry/libmtx.so "${MTX_BUILD:-build}"/registry/libmtx-snapshot.so; do
        [ -e "$library" ] || continue
        nm -D --defined-only "$library" | awk '{print $NF}' | sed 's/@.*//' |
            grep -vE '^(metrics_|MTX_)' | grep -vE '^(_init|_fini|__asan|__odr_asan|__tsan|__ubsan)' |
            sed "s|^|${library##*/}: |"
    done
}

rule "exporters/ sees only <mtx/*.h> and leader.h of the layers below" "$(foreign_includes)"
rule "only shm/ maps memory (<sys/mman.h>)" \
    "$(grep_in '^ *# *include *<sys/mman\.h>' registry exporters tools examples)"
rule "atomics go through shm/atomic.h (<stdatomic.h>)" \
    "$(grep_in '^ *# *include *<stdatomic\.h>' shm registry exporters tools | grep -v '^shm/atomic\.h:')"
rule "atomics go through shm/atomic.h (built-ins)" \
    "$(code_in '\b__(atomic|sync)_[a-z]' shm registry exporters tools |
        grep -vE '^(shm/atomic\.h|registry/include/mtx/metrics\.h|shm/include/mtx/rseq\.h):')"
rule "shm/ knows nothing of metrics" "$(grep_in '^ *# *include *[<"](mtx/(metrics|snapshot)|format|kind)\.h' shm)"
rule "registry/ knows nothing of exporters and tools" "$(grep_in '^ *# *include *"(\.\./)?(exporters|tools)/' registry)"
rule "exporters/ does not name a kind by its number" "$(code_in "\\b(KIND_($kinds)|metrics__kind)" exporters)"
rule "a backend branches on nature, never on kind" "$(code_in '\bmetrics_reading_kind *\(' exporters |
    grep -E '^exporters/backends/out_' | grep -E 'str(case)?n?cmp|switch|if *\(')"
[ -n "$backends" ] && rule "registry/ names no backend" "$(code_in "\\bout_($backends)\\b" registry shm)"
rule "programs stay in the C locale; libraries test and write letters and numbers without one" \
    "$(code_in '\b(setlocale|uselocale) *\(' shm registry exporters tools
    code_in '\b(is(alpha|alnum|digit|space|print|upper|lower|cntrl|punct)|to(upper|lower)|str(case|ncase)cmp|strtod|strcoll) *\(' shm registry)"
rule "identifiers do not begin with mtx_ (C11's threads.h owns them)" \
    "$(code_in '(^|[^A-Za-z0-9_])mtx_[a-z0-9_]+' shm registry exporters tools examples)"
rule "the libraries export metrics_* only" "$(stray_exports)"
rule "the symbol maps export metrics_* only" \
    "$(sed -n '/global:/,/local:/p' registry/*.map | grep -vE 'global:|local:' | grep -vE '^ *metrics_' )"
rule "an atomic access cites the row of shm/layout.h that argues its order" "$(tests/style/orders.sh untagged)"
rule "shm/layout.h has no such row" "$(tests/style/orders.sh unknown)"
rule "no access cites this row" "$(tests/style/orders.sh uncited)"
rule "functions are short" "$(long_functions)"
rule "the first line names the licence" "$(without_licence)"
rule "links of the documentation lead somewhere" "$(dead_links)"
rule "no unfinished work" "$(grep_in '\b(TO[D]O|FIX[M]E|XX[X])\b' shm registry exporters tools examples tests)"

if [ "${1:-}" = --format ]; then
    if ! command -v clang-format >/dev/null; then
        echo "clang-format is not installed (apt-get install clang-format)"
        exit 2
    fi
    mapfile -t files < <(sources shm registry exporters tools examples tests | sort)
    rule "clang-format would change it" \
        "$(clang-format --dry-run "${files[@]}" 2>&1 | sed -nE 's/^([^ ]+:[0-9]+):[0-9]+: warning.*/\1/p' | sort -u)"
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
