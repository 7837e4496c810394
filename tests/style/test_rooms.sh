#!/bin/bash
# Promise: the build refuses an include that does not run down. The compiler itself is asked, with the command by which
# the build compiles each source.
set -u
cd "${MTX_SOURCE:-$(dirname "$0")/../..}" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

path_of() { # path_of FOLDER NAME
    local path
    path=$(find "$1" -name "$2") && [ -f "$path" ] && echo "$path" && return
    echo "$1: no $2, or several" >&2
    exit 2
}
# The build's words for one source, but for another file and without an object; one per line.
words_for() { # words_for SOURCE FILE
    python3 - "$MTX_BUILD/compile_commands.json" "$PWD/$1" "$2" <<'END'
import json, os, shlex, sys
commands, source, file = sys.argv[1:]
entry = next(e for e in json.load(open(commands)) if os.path.realpath(e["file"]) == os.path.realpath(source))
words = shlex.split(entry["command"])
at = words.index("-o")
print("\n".join(file if w == entry["file"] else w for w in words[:at] + words[at + 2:] + ["-fsyntax-only"]))
END
}
compile_with() { # compile_with SOURCE HEADER: what the compiler says of the source with one include more
    local words
    { printf '#include "%s"\n' "$2" && cat "$1"; } >"$work/source.c"
    mapfile -t words < <(words_for "$1" "$work/source.c")
    [ ${#words[@]} -gt 3 ] || { echo "$1: not in compile_commands.json"; exit 2; }
    (cd "$MTX_BUILD" && "${words[@]}" -iquote "$OLDPWD/$(dirname "$1")" 2>&1)
}
judge() { # judge NAME STATUS TEXT
    if [ "$2" = 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)) && printf 'FAILED: '; fi
    printf '%s: %s\n' "$1" "$3"
}
refuses() { # refuses FOLDER SOURCE FOLDER HEADER
    local source header said
    source=$(path_of "$1" "$2") && header=$(path_of "$3" "$4") || exit 2
    said=$(compile_with "$source" "$4")
    grep -qE "$4(: No such file|' file not found)" <<<"$said"
    judge "$source does not find $header" $? "$(grep -m1 error <<<"$said")"
}
allows() { # allows FOLDER SOURCE FOLDER HEADER
    local source header said
    source=$(path_of "$1" "$2") && header=$(path_of "$3" "$4") || exit 2
    said=$(compile_with "$source" "$4")
    judge "$source finds $header" $? "$said"
}

# Between folders.
refuses shm slot.c registry format.h
refuses registry bucket.c exporters backend.h
refuses exporters buf.c tools cli.h
# Between the rooms of a folder.
refuses registry bucket.c registry reading.h
refuses registry find.c registry reading.h
refuses exporters buf.c exporters backend.h
refuses exporters log.c exporters consumer.h
refuses exporters out_file.c exporters sampler.h
refuses tools cli.c tools input.h
refuses tools show.c tools sending.h
refuses tools call.c tools librato.h
# Down, the same way.
allows registry find.c registry bucket.h
allows exporters log.c exporters buf.h
allows tools show.c exporters json.h

echo "$passed passed, $failed failed"
[ $failed = 0 ]
