#!/bin/bash
# Promise: arrows between rooms run down only, files run in no circle, each room finds only the libraries that it names,
# functions are short; and graph.py and lengths.py see it when that is not so.
set -u
source=${MTX_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
style=$source/tests/style
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

judge() { # judge NAME CONDITION-STATUS: shows $work/out if it failed
    if [ "$2" = 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$1"
        cat "$work/out"
    fi
}
graph() { python3 "$style/graph.py" check --tree "$1" --build "$2" >"$work/out" 2>&1; }
lengths() { python3 "$style/lengths.py" "$1" >"$work/out" 2>&1; }
finds() { # finds NAME PATTERN CHECK...: the check fails, and says so in a line that matches
    local name=$1 pattern=$2 status
    shift 2
    "$@"
    status=$?
    [ $status = 1 ] && grep -qE "$pattern" "$work/out"
    judge "$name: a line like \"$pattern\"" $?
}

# --- This tree ---
graph "$source" "$MTX_BUILD"
judge "the graph of this tree" $?
lengths "$source"
judge "the functions of this tree" $?

# --- Seeds in a copy of this tree: includes only, for nothing is built ---
tree=$work/tree
fresh_copy() {
    rm -rf "$tree"
    mkdir "$tree" && (cd "$source" && cp -r shm registry exporters tools examples "$tree")
}
seed() { # seed FOLDER FILE LINE: appends the line to the file of that name below the folder
    local file
    file=$(find "$tree/$1" -name "$2") && [ -f "$file" ] || { echo "$1/$2 is not there"; exit 2; }
    printf '%s\n' "$3" >>"$file"
}
fresh_copy && seed registry plan.c '#include "backend.h"'
finds "an include of the folder above" '^registry/.*plan.c: includes backend.h .* runs up$' graph "$tree" "$work"
fresh_copy && seed exporters buf.h '#include "json.h"'
finds "a circle by include" '^circle: .*/buf -> .*/json -> .*/buf$' graph "$tree" "$work"
fresh_copy && seed registry plan.c '#include <curl/curl.h>'
finds "a library of another folder" '^registry/.*plan.c: .*does not name CURL$' graph "$tree" "$work"
fresh_copy && seed shm slot.c "void long_one(void)
{
$(yes '    ;' | head -57)
}"
finds "a function of 60 lines" 'the max is 60 lines' lengths "$tree"

# --- Seeds in a small tree of the same shape, which is built, so that calls are seen ---
small=$work/small build=$work/build
file() { # file PATH: appends its standard input
    mkdir -p "$small/$(dirname "$1")" && cat >>"$small/$1"
}
fresh_small() {
    rm -rf "$small" "$build"
    mkdir -p "$build"
    file exporters/CMakeLists.txt <<'END'
function(room name)
endfunction()
room(text NEEDS ZLIB::ZLIB) room(system text)
room(contract text)
room(backends contract)
room(log system)
END
    file exporters/main.c <<<$'#include "log.h"\nint main(void) { return log_new(); }'
    file exporters/text/buf.h <<<'int buf_add(void);'
    file exporters/text/buf.c <<<$'#include "buf.h"\n#include <zlib.h>\nint buf_add(void)\n{\n    return 1;\n}'
    file exporters/text/json.c <<<$'#include "buf.h"\nint json(void)\n{\n    return buf_add();\n}'
    file exporters/system/say.c <<<$'int say(void)\n{\n    return 1;\n}'
    # A table made from a list refers to rooms above.
    file exporters/contract/backend.h <<<'struct backend { int n; };'
    file exporters/contract/backends.c <<'END'
#include "backend.h"
extern const struct backend backend_x;
const struct backend *const backends[] = {&backend_x};
END
    file exporters/backends/out_x.c <<<$'#include "backend.h"\nconst struct backend backend_x = {1};'
    # One idea in two sources: the inner header sees the outer one, and both sources see both.
    file exporters/log/log.h <<<'int log_new(void);'
    file exporters/log/log_inside.h <<<$'#include "log.h"\nint log_thin(void);'
    file exporters/log/log.c <<<$'#include "log_inside.h"\nint log_new(void)\n{\n    return log_thin();\n}'
    file exporters/log/log_thin.c <<'END'
#include "log_inside.h"
#include "buf.h"
int log_thin(void)
{
    return buf_add();
}
END
    file registry/plan.c <<<$'int plan(void)\n{\n    return 1;\n}'
}
build_small() { # every room finds every other: it is graph.py that has to see the difference
    local source object flags='' entries=()
    for source in "$small"/exporters/*/; do flags+=" -iquote $source"; done
    while read -r source; do
        object=$build/${#entries[@]}.o
        "${CC:-cc}" -O2 $flags -c "$source" -o "$object" || exit 2
        entries+=("{\"directory\": \"$build\", \"file\": \"$source\", \"command\": \"cc -c $source -o $object\"}")
    done < <(find "$small" -name '*.c' | sort)
    (IFS=,; echo "[${entries[*]}]") >"$build/compile_commands.json"
}
small_graph() {
    build_small
    graph "$small" "$build"
}
fresh_small && small_graph && grep -q '^5 passed, 0 failed' "$work/out"
judge "the small tree is sound" $?

fresh_small && file exporters/text/buf.c <<<'#include "log.h"'
finds "an include of a room above" '^exporters/text/buf.c: includes log.h .* exporters/log runs up$' small_graph
fresh_small && file exporters/text/buf.c <<<$'int say(void);\nint buf_say(void) { return say(); }'
finds "a call of a room above" '^exporters/text/buf.c: uses say .* exporters/system runs up$' small_graph
fresh_small && file registry/plan.c <<<$'int buf_add(void);\nint plan_add(void) { return buf_add(); }'
finds "a call of the folder above" '^registry/plan.c: uses buf_add .* exporters/text runs up$' small_graph
fresh_small && file exporters/log/log.c <<<'#include "backend.h"'
finds "an include of a room beside" '^exporters/log/log.c: includes backend.h .* not declared$' small_graph
fresh_small && file exporters/text/buf.c <<<$'int json(void);\nint buf_json(void) { return json(); }'
finds "a circle by call" '^circle: exporters/text/buf -> exporters/text/json -> exporters/text/buf$' small_graph
fresh_small && file exporters/log/log_thin.c <<<$'int log_again(void) { return log_new(); }'
finds "a circle of the sources of one idea" '^circle: exporters/log/log -> exporters/log/log_thin -> ' small_graph
fresh_small && file exporters/contract/backends.c <<<$'int say(void);\nint backend_say(void) { return say(); }'
finds "a call beside the table" '^exporters/contract/backends.c: uses say ' small_graph
fresh_small && file exporters/log/log.c <<<'#include <zlib.h>'
finds "a library of another room" '^exporters/log/log.c: .*exporters/log does not name ZLIB$' small_graph
fresh_small && file exporters/odd/odd.c <<<'int odd;'
finds "a folder that is not a room" '^exporters/odd/odd.c: lies in no room' small_graph
fresh_small && file exporters/odd.c <<<'int odd;'
finds "a source beside the rooms" '^exporters/odd.c: lies in no room' small_graph

echo "$passed passed, $failed failed"
[ $failed = 0 ]
